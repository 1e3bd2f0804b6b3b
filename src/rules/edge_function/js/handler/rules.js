  for (let i = 0; i < (answer ? answer[1] : rules.length); i++) {
    const rule = rules[i], values = match(rule, request);
    if (values === null || (rule[2] === 200 && !rule[5] && !may(viewed))) continue;
    answer = [rule[2], i, fill(rule[1], values), rule[4]];
    break;
  }
