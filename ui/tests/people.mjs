// Gives a fresh demo something to show, by the API that the page itself uses.

/** A few customers write; one send is refused, one conversation is a person's. */
export async function converse(page, house) {
  const call = (method, path, body) =>
    page.evaluate(
      async ([verb, where, what]) => {
        const headers = { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() };
        const answer = await fetch(where, { method: verb, headers, body: what === undefined ? undefined : JSON.stringify(what) });
        const text = await answer.text();
        if (!answer.ok) throw new Error(`${verb} ${where}: ${answer.status} ${text}`);
        return text ? JSON.parse(text) : null;
      },
      [method, `/api/v1${path}`, body],
    );
  const write = (phone, name, text) => call('POST', '/simulator/messages', { phone, name, text });
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  for (const text of ['Hi, I need a golden visa', 'Sara Khan', 'Pakistani']) {
    await write('971500000301', 'Sara Khan', text);
    await pause(500);
  }
  await write('971500000302', 'فاطمة الزعابي', 'السلام عليكم، أبغى رخصة تجارية');
  await pause(500);
  await write('971500000302', 'فاطمة الزعابي', 'فاطمة الزعابي');
  await pause(300);
  await call('POST', '/simulator/faults', { fault: 'refuse' });
  await write('971500000303', 'Omar 🌴', '<b>Hello</b> <script>alert(1)</script> office space in مدينة العين please');
  let sara;
  for (let n = 0; n < 60 && !sara; n += 1) {
    await pause(200);
    sara = (await call('GET', '/conversations')).data.find((one) => one.phone === '971500000301');
  }
  if (sara) {
    await call('POST', `/conversations/${sara.id}/takeover`, {});
    await call('POST', `/conversations/${sara.id}/notes`, { body: 'Came back after the exhibition: offer her the family package.' });
    await call('POST', `/conversations/${sara.id}/messages`, { text: 'Hello Sara, this is Noura from Al Ain Business Center. May I call you this afternoon?' });
    await call('POST', '/tasks', { title: 'Call Sara Khan', description: 'Quotation for the golden visa', lead_id: sara.lead_id, conversation_id: sara.id, priority: 'high', due_at: new Date(Date.now() + 3_600_000).toISOString() });
  }
  await pause(600);
  return { call, write };
}
