// What every file of browser tests has in common: one test after the other, each with a limit, and a list of results at the end.

/** Tests of one file; `word` runs only those with it in their name, and the first, which signs in. */
export function suite({ minutes, word = process.argv[2] ?? '' }) {
  // Nothing here may hold up a run for ever.
  setTimeout(() => {
    console.error(`the page’s tests took longer than ${minutes} min`);
    process.exit(1);
  }, minutes * 60_000).unref();
  const results = [];
  let failed = 0;
  const test = async (name, body) => {
    if (word && results.length > 0 && !name.includes(word)) return;
    const began = Date.now();
    const told = (mark) => results.push(`  ${mark} ${((Date.now() - began) / 1000).toFixed(1).padStart(5)} s  ${name}`);
    try {
      let late;
      const limit = new Promise((_, reject) => {
        late = setTimeout(() => reject(new Error('it took longer than 2 min')), 120_000);
      });
      await Promise.race([body(), limit]).finally(() => clearTimeout(late));
      told('ok    ');
    } catch (error) {
      failed += 1;
      told('FAILED');
      console.error(`\n${name}\n${error.stack ?? error}`);
    }
  };
  const end = () => {
    console.log(results.join('\n'));
    process.exit(failed > 0 ? 1 : 0);
  };
  return { test, end };
}
