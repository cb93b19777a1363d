// The page that `make run` shows at /: both services at work, for somebody who has never seen them.
import { Trouble, next, request, send } from './api.js';
import { follow, serverNow } from './events.js';
import { $, clock, el, keep, message, money, short, showErrors } from './view.js';

const PAGE = 20, CLOSED = 8;   // tickets in a page; orders shown that are over
const tickets = { shown: [], more: null, editing: null };
let orders = [];
let search, loading;           // AbortControllers of what is being asked

const kept = (() => { try { return JSON.parse(sessionStorage.getItem('console')) || {}; } catch (e) { return {}; } })();
function remember(what) {
  Object.assign(kept, what);
  try { sessionStorage.setItem('console', JSON.stringify(kept)); } catch (e) { /* then a reload forgets */ }
}
const who = () => $('who').value;

function step(name) {
  remember({ [name]: true });
  for (const each of ['sell', 'order', 'reserve', 'close']) $(`step-${each}`).classList.toggle('done', Boolean(kept[each]));
}

// --- what is done, and what went wrong

// Sends what is ASKED; when that fails in a way that may pass, "Try again" sends the very same. WHAT is being done, in words.
async function attempt(what, asked, done, { button, form } = {}) {
  if (button && button.hasAttribute('aria-disabled')) return;   // it is under way; "disabled" would take the focus away
  if (button) button.setAttribute('aria-disabled', 'true');
  try {
    if (form) showErrors(form, []);
    done(await send(asked));
  } catch (e) {
    failed(e, what, asked, done, form);
  } finally {
    if (button) button.removeAttribute('aria-disabled');
  }
}

function failed(e, what, asked, done, form) {
  if (!(e instanceof Trouble)) throw e;   // a fault of this page: the browser's console has it
  if (e.status === 400 && form && form.isConnected && e.errors.length && !showErrors(form, e.errors).length)
    return form.querySelector('[aria-invalid]').focus();
  message('bad', `${what}: ${e.message}${details(e)}`, ...(e.again ? [['Try again', () => attempt(what, asked, done, { form })]] : []));
  if ([404, 409, 412].includes(e.status)) { tickets.editing = null; loadTickets(); loadOrders(); }
}
const details = e => e.status === 400 ? ' ' + e.errors.map(error => error.message).join('; ') : '';
const replayed = answer => answer.headers.get('Idempotent-Replayed') ? ' The first attempt had done it already; it was not done twice.' : '';

// --- tickets

function query() {
  const fields = $('search').elements, asked = new URLSearchParams();
  for (const name of ['title', 'minPrice', 'maxPrice']) if (fields[name].value.trim()) asked.set(name, fields[name].value.trim());
  if (fields.reserved.checked) asked.set('reserved', 'any');
  return asked;
}
const filtered = () => ['title', 'minPrice', 'maxPrice'].some(name => query().has(name));

// Answers up to LIMIT tickets from PATH on. A page may be empty and still have a next one: a search takes its time.
async function page(path, limit, signal) {
  const found = [];
  while (path && found.length < limit) {
    const url = new URL(path, location);
    url.searchParams.set('limit', limit - found.length);
    const answer = await send(request('GET', url.pathname + url.search), { signal });
    found.push(...answer.data);
    path = next(answer.headers);
  }
  return { found, path };
}

async function loadTickets(more) {
  if (search) search.abort();
  const mine = search = new AbortController();
  try {
    const { found, path } = more ? await page(tickets.more, PAGE, mine.signal)
      : await page('/api/tickets?' + query(), Math.min(1000, Math.max(PAGE, tickets.shown.length)), mine.signal);
    tickets.shown = more ? tickets.shown.concat(found) : found;
    tickets.more = path;
    showErrors($('search'), []);
    drawTickets();
  } catch (e) {
    if (mine.signal.aborted) return;
    if (!(e instanceof Trouble)) throw e;
    if (e.status === 400 && !showErrors($('search'), e.errors).length) return;
    if (e.status) message('bad', 'The tickets could not be read. ' + e.message, ['Try again', () => loadTickets(more)]);
  }                                     // without an answer: events.js says so
}

function drawTickets() {
  keep($('tickets'), tickets.shown, {
    key: ticket => ticket.id,
    signature: ticket => tickets.editing === ticket.id ? 'editing' : JSON.stringify([ticket, who()]),
    make: ticket => tickets.editing === ticket.id ? editRow(ticket) : ticketRow(ticket),
  });
  $('more').hidden = !tickets.more;
  $('shown').textContent = tickets.shown.length ? `${tickets.shown.length} shown${tickets.more ? ', there are more' : ''}` : '';
  $('none').hidden = tickets.shown.length > 0;
  if (!tickets.shown.length) $('none').replaceChildren(...(filtered() ? nothingFound() : nothingThere()));
}

function nothingThere() {
  const port = location.port === '8080' ? '' : ` PORT=${location.port || 80}`;
  return [el('p', {}, $('search').elements.reserved.checked ? 'There are no tickets yet.' : 'There is no ticket that is not reserved.'),
    el('p', {}, 'Sell one with the form above; or run ', el('code', {}, `make demo${port}`),
       ' in a second terminal: it loads a year of weekly prices of 77 Broadway shows.')];
}

function nothingFound() {
  const clear = () => { $('search').reset(); loadTickets(); $('search').elements.title.focus(); };
  return [el('p', {}, 'No ticket has such a title and such a price. '), el('button', { type: 'button', onclick: clear }, 'Clear the search')];
}

function ticketRow(ticket) {
  const mine = ticket.userId === who();
  return el('li', {},
    el('div', { class: 'what' }, el('b', {}, ticket.title),
      el('small', {}, `sold by ${mine ? 'you' : ticket.userId}, version ${ticket.version}, `, el('span', { class: 'mono', title: ticket.id }, short(ticket.id)))),
    el('span', { class: 'amount' }, money(ticket.price)),
    el('span', { class: 'doing' },
      ticket.orderId ? el('span', { class: 'state reserved' }, 'reserved') : [
        mine && el('button', { type: 'button', 'data-action': 'price', 'aria-label': `Change the price of ${ticket.title}`,
                               onclick: () => { tickets.editing = ticket.id; drawTickets(); } }, 'Price…'),
        el('button', { type: 'button', 'data-action': 'order', 'aria-label': `Order ${ticket.title}`,
                       onclick: event => order(ticket, event.currentTarget) }, 'Order')]));
}

function editRow(ticket) {   // by the version that is seen now: if somebody is faster, it is a 412
  const close = () => { tickets.editing = null; drawTickets(); };
  const form = el('form', { class: 'fields grow', novalidate: true, onsubmit: event => {
    event.preventDefault();
    attempt(`Changing the price of “${ticket.title}”`, request('PUT', `/api/tickets/${ticket.id}`, { user: ticket.userId, version: ticket.version,
                                                          body: { title: ticket.title, price: form.elements.price.value.trim() } }),
      answer => {
        message('good', `“${ticket.title}” costs ${money(answer.data.price)} now; it is at version ${answer.data.version}.`);
        tickets.editing = null;
        loadTickets();
      }, { form, button: form.querySelector('button') });
  }, onkeydown: event => { if (event.key === 'Escape') close(); } },
    el('div', { class: 'what' }, el('b', {}, ticket.title), el('small', {}, `at version ${ticket.version}`)),
    el('label', { class: 'price' }, 'New price ', el('input', { name: 'price', 'data-action': 'price', value: money(ticket.price),
                                                                inputmode: 'decimal', autocomplete: 'off', 'aria-describedby': 'edit-error' })),
    el('button', { class: 'main' }, 'Save'), el('button', { type: 'button', onclick: close }, 'Leave'),
    el('p', { class: 'error', 'data-for': 'price', id: 'edit-error' }));
  return el('li', {}, form);
}

function sell(event) {
  event.preventDefault();
  const form = $('sell'), fields = form.elements, title = fields.title.value;
  attempt(`Selling “${title}”`, request('POST', '/api/tickets', { user: who(), body: { title, price: fields.price.value.trim() } }), async answer => {
    const made = answer.data;
    if (fields.title.value === title) form.reset();   // not what was typed since
    step('sell');
    await loadTickets();
    const there = tickets.shown.some(ticket => ticket.id === made.id);
    message('good', `${made.userId} sells “${made.title}” for ${money(made.price)}, ${short(made.id)}.${replayed(answer)}` +
      (there ? '' : ' The list shows the oldest first: it is further down.'),
      ...(there ? [] : [['Search for it', () => { $('search').reset(); $('search').elements.title.value = made.title; loadTickets(); }]]));
  }, { form, button: event.submitter });
}

// --- orders

function order(ticket, button) {
  attempt(`Ordering “${ticket.title}”`, request('POST', '/api/orders', { user: who(), body: { ticketId: ticket.id } }), answer => {
    message('good', `${answer.data.userId} has ordered “${ticket.title}”, ${short(answer.data.id)}: the tickets service is asked to reserve it.${replayed(answer)}`);
    step('order');
    loadOrders();
  }, { button });
}

function pay(one, button) {
  const body = { paymentId: `console-${one.id}`, amount: money(one.ticket.price) };
  attempt(`Paying for the order ${short(one.id)}`, request('POST', `/api/orders/${one.id}/payments`, { user: 'payments', body }), answer => {
    message('good', answer.status === 202 ? 'The payment is kept: the order will be complete as soon as its ticket is reserved.'
      : `Paid: the order ${short(one.id)} is complete.${replayed(answer)}`);
    step('close');
    loadOrders();
  }, { button });
}

function cancel(one, button) {
  attempt(`Cancelling the order ${short(one.id)}`, request('DELETE', `/api/orders/${one.id}`, { user: one.userId }), () => {
    message('good', `The order ${short(one.id)} is cancelled; its ticket is released.`);
    step('close');
    loadOrders();
  }, { button });
}

async function loadOrders() {
  if (loading) loading.abort();
  const mine = loading = new AbortController(), user = who(), all = [];
  try {
    for (let path = '/api/orders?status=all&limit=1000'; path;) {
      const answer = await send(request('GET', path, { user }), { signal: mine.signal });
      all.push(...answer.data);
      path = next(answer.headers);
    }
    orders = all.reverse();
    if (orders.some(one => one.status === 'awaiting:payment')) step('reserve');
    drawOrders();
  } catch (e) {
    if (mine.signal.aborted) return;
    if (!(e instanceof Trouble)) throw e;
    if (e.status) message('bad', `The orders of ${user} could not be read. ${e.message}`, ['Try again', loadOrders]);
  }
}

const isOpen = one => one.status === 'created' || one.status === 'awaiting:payment';
const WORDS = { created: 'created', 'awaiting:payment': 'awaiting payment', complete: 'complete' };
const REASONS = { user: 'by the buyer', expired: 'not paid in time', reserved: 'somebody else got the ticket' };

function drawOrders() {
  const open = orders.filter(isOpen), over = orders.filter(one => !isOpen(one));
  keep($('orders'), [...open, ...over.slice(0, CLOSED)], { key: one => one.id, signature: JSON.stringify, make: orderRow });
  $('whose').textContent = who();
  $('no-orders').hidden = orders.length > 0;
  $('older').hidden = over.length <= CLOSED;
  $('older').textContent = `${over.length - CLOSED} older ones are complete or cancelled.`;
  tick();
}

function orderRow(one) {
  const title = one.ticket.title ?? 'a ticket that is gone';
  return el('li', {},
    el('div', { class: 'what' }, el('b', {}, title),
      el('small', {}, `order `, el('span', { class: 'mono', title: one.id }, short(one.id)), `, version ${one.version}, of ticket `,
         el('span', { class: 'mono', title: one.ticketId }, short(one.ticketId)))),
    el('span', { class: 'standing' },
      el('span', { class: `state ${one.status.split(':')[0]}` }, WORDS[one.status] || `cancelled: ${REASONS[one.cancelReason] || one.cancelReason}`),
      isOpen(one) && el('span', { class: 'left', 'data-until': one.expiresAt, title: `until ${clock(one.expiresAt)}` })),
    el('span', { class: 'amount' }, money(one.ticket.price)),
    isOpen(one) && el('span', { class: 'doing' },
      el('button', { type: 'button', class: 'main', 'data-action': 'pay', 'aria-label': `Pay for ${title}`, onclick: event => pay(one, event.currentTarget) }, 'Pay'),
      el('button', { type: 'button', 'data-action': 'cancel', 'aria-label': `Cancel the order of ${title}`,
                     onclick: event => cancel(one, event.currentTarget) }, 'Cancel')));
}

function tick() {   // by the server's clock: that is what expires orders
  for (const place of document.querySelectorAll('[data-until]')) {
    const seconds = Math.ceil((Date.parse(place.dataset.until) - serverNow()) / 1000);
    place.textContent = seconds > 0 ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} left` : 'overdue';
  }
}

// --- the whole

if (kept.who) $('who').value = kept.who;
step('opened');
$('who').addEventListener('change', () => {
  remember({ who: who() });
  tickets.editing = null;
  orders = [];
  drawTickets();
  drawOrders();
  loadOrders();
});
$('sell').addEventListener('submit', sell);
let typing;
$('search').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => { tickets.shown = []; loadTickets(); }, 250);
});
$('search').addEventListener('submit', event => { event.preventDefault(); clearTimeout(typing); loadTickets(); });
$('more').addEventListener('click', () => loadTickets(true));
setInterval(() => { if (!document.hidden) tick(); }, 250);
loadTickets();
loadOrders();
follow(services => {
  if (services.includes('tickets')) loadTickets();
  if (services.length) loadOrders();   // an order tells its ticket's title
});
