  if (answer && answer[0] === 0) answer = null;
  if (answer && answer[0] !== 200) return redirect(answer[0], answer[2], request.querystring, answer[3] || {});
