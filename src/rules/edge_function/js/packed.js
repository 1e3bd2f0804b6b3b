// Each word begins with numbers, one character each, which "#" is 0 of.
function count(word, at) {
  return word.charCodeAt(at) - 35;
}
function find(path) {
  for (let g = 0; g < exact.length; g++) {
    const words = exact[g][3].split(' ');
    let from = '';
    for (let i = 0; i + 1 < words.length; i += 2) {
      from = from.slice(0, count(words[i], 0)) + words[i].slice(2) + from.slice(from.length - count(words[i], 1));
      if (from > path) break;
      if (from !== path) continue;
      const word = words[i + 1];
      const end = count(word, 1) > 56 ? '' : from.slice(count(word, 1));
      return [exact[g][0], exact[g][1], exact[g][2][count(word, 0)] + word.slice(2) + end];
    }
  }
  return null;
}
