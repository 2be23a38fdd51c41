// A browser as far as the gate's pages need one: cookies, redirects, forms. It stops at the address that belongs to the client.

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

const decode = text => text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) =>
  hex ? String.fromCodePoint(parseInt(hex, 16)) : decimal ? String.fromCodePoint(Number(decimal)) : entities[name] ?? whole);

const attribute = (tag, name) => {
  const match = new RegExp(`\\s${name}\\s*=\\s*"([^"]*)"`, 'i').exec(tag);
  return match ? decode(match[1]) : undefined;
};

/** The only form of a page: where it goes, its fields as they stand, and its buttons. */
export function parseForm(html) {
  const forms = [...html.matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/gi)].map(match => match[0]);
  if (forms.length !== 1)
    throw new Error(`a page with ${forms.length} forms instead of one: ${html}`);
  const fields = new URLSearchParams();
  // A box that nobody ticks is not sent.
  for (const [input] of forms[0].matchAll(/<input\b(?![^>]*type="checkbox")[^>]*>/gi))
    fields.set(attribute(input, 'name'), attribute(input, 'value') ?? '');
  const buttons = [...forms[0].matchAll(/<button\b[^>]*>/gi)].map(([tag]) => ({ name: attribute(tag, 'name'), value: attribute(tag, 'value') }));
  return { action: attribute(forms[0], 'action'), fields, buttons };
}

/**
 * Opens an authorization URL, signs in, decides, and returns the URL of the client's that it is sent to.
 * `visited` tells of each page: method, path, status, and the gate's event.
 */
export async function authorize(authorizationUrl, { redirectUrl, username, password, decision, visited = () => {} }) {
  const cookies = new Map();
  let request = { method: 'GET', url: new URL(authorizationUrl), referrer: undefined, body: undefined };
  for (let pages = 0; pages < 20; pages++) {
    const headers = new Headers({ accept: 'text/html,application/xhtml+xml' });
    if (cookies.size > 0)
      headers.set('cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; '));
    if (request.method === 'POST')
      headers.set('origin', request.referrer.origin);
    const response = await fetch(request.url, { method: request.method, headers, body: request.body, redirect: 'manual' });
    visited({ method: request.method, path: request.url.pathname, status: response.status, event: response.headers.get('sallyport-event') });
    for (const cookie of response.headers.getSetCookie()) {
      const [name, value] = cookie.split(';', 1)[0].split('=', 2);
      cookies.set(name, value);
    }

    if (response.status >= 300 && response.status < 400) {
      const location = new URL(response.headers.get('location'), request.url);
      if (location.href.startsWith(redirectUrl))
        return location;
      if (location.origin !== request.url.origin)
        throw new Error(`sent to a foreign address: ${location}`);
      request = { method: 'GET', url: location, referrer: request.url };
      continue;
    }

    const html = await response.text();
    if (response.status !== 200)
      throw new Error(`${request.method} ${request.url.pathname} was answered ${response.status}: ${html}`);
    const { action, fields, buttons } = parseForm(html);
    if (fields.has('username')) {
      if (request.method === 'POST')
        throw new Error(`the sign-in was refused: ${html}`);
      fields.set('username', username);
      fields.set('password', password);
    } else if (buttons.some(button => button.name === 'decision' && button.value === decision)) {
      fields.set('decision', decision);
    } else {
      throw new Error(`a form that nobody told us how to fill in: ${html}`);
    }
    request = { method: 'POST', url: new URL(action, request.url), referrer: request.url, body: fields };
  }
  throw new Error('the pages go round in circles');
}
