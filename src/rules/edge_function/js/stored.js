async function find(path) {
  try {
    const value = await store.get(path);
    const words = value.split(' ');
    return [+words[0], +words[1], words[2]];
  } catch (e) {
    return null;
  }
}
