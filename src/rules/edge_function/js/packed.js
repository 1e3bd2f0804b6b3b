// Each word begins with numbers, one character each, which "#" is 0 of.
function count(word, at) {
  return word.charCodeAt(at) - 35;
}
function find(path) {
  for (let g = 0; g < exact.length; g++) {
    const group = exact[g], words = group[5].split(' ');
    let from = '';
    for (let i = 0; i + 1 < words.length; i += 2) {
      const word = words[i], target = words[i + 1];
      from = from.slice(0, count(word, 0)) + word.slice(2) + from.slice(from.length - count(word, 1));
      if (from > path) break;
      if (from !== path) continue;
      const stem = from.slice(0, from.length - group[2]);
      const end = count(target, 1) > 56 ? '' : stem.slice(count(target, 1));
      return [group[0], group[1], group[4][count(target, 0)] + target.slice(2) + end + group[3]];
    }
  }
  return null;
}
