#!/usr/bin/env node
// The browser of clients that open one by $BROWSER: signs in and allows as $MATRIX_USER, and goes where the gate then sends it.
import { authorize } from '../browser.mjs';

const url = new URL(process.argv[2]);
const back = await authorize(url, {
  redirectUrl: url.searchParams.get('redirect_uri'),
  username: process.env.MATRIX_USER,
  password: process.env.MATRIX_PASSWORD,
  decision: 'allow',
});
await (await fetch(back)).text();
