#!/usr/bin/env node
// The browser of clients that open one by $BROWSER: signs in and allows as $MATRIX_USER, and goes where the gate then sends it.
// Appends to $MATRIX_VISITS, as lines of JSON, which client it was for, and whether it got no further.
import { appendFile } from 'node:fs/promises';
import { authorize } from '../browser.mjs';

const url = new URL(process.argv[2]);
const note = visit => appendFile(process.env.MATRIX_VISITS, `${JSON.stringify(visit)}\n`);
await note({ client: url.searchParams.get('client_id') });
try {
  const back = await authorize(url, {
    redirectUrl: url.searchParams.get('redirect_uri'),
    username: process.env.MATRIX_USER,
    password: process.env.MATRIX_PASSWORD,
    decision: 'allow',
  });
  await (await fetch(back)).text();
} catch (error) {
  await note({ refused: error.message });
  throw error;
}
