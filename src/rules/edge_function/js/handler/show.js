  if (answer) request.uri = answer[2];
