// What both services tell of themselves, asked each second while somebody looks: how they are, and the last events that
// each has published and applied, put together into one row for each event.
import { request, send } from './api.js';
import { $, clock, el, keep, short } from './view.js';

const EVERY = 1000, KEPT = 60;   // ms; rows
const SERVICES = ['tickets', 'orders'];
const events = new Map();        // log and position -> event
const logs = {};                 // log -> who publishes there
const heads = {};                // of each service, when it was last asked
let offset = 0;                  // the server's clock less ours, in ms
let first = true, down = null, missed = 0;

export const serverNow = () => Date.now() + offset;

function take(service, status) {
  logs[status.log.source] = service;
  let fresh = 0;
  for (const seen of [...status.recent].reverse()) {
    const key = `${seen.source} ${seen.position}`;
    let event = events.get(key);
    if (!event) events.set(key, event = { key, ...seen, sides: {} });
    if (event.sides[service]) continue;
    event.sides[service] = { direction: seen.direction, by: first ? null : status.time };
    fresh++;
  }
  // Each tells 32 at most; what was published besides since it was last asked has gone by.
  const before = heads[service], known = [...events.values()].filter(event => event.source === status.log.source && event.position > before);
  if (before !== undefined && status.log.head - before > 32) missed += status.log.head - before - known.length;
  heads[service] = status.log.head;
  return fresh;
}

function side(event, service) {
  const mine = event.sides[service], publishes = logs[event.source] === service;
  if (publishes) return el('td', {}, el('span', { class: 'published' }, '→ published'), el('small', {}, clock(event.time, true)));
  if (!mine) return el('td', { class: 'soft' }, '–');
  return el('td', {}, el('span', { class: 'applied' }, '← applied'), el('small', {}, mine.by ? 'by ' + clock(mine.by) : 'before this page'));
}

function draw() {
  const rows = [...events.values()].sort((a, b) => a.time < b.time ? 1 : a.time > b.time ? -1 : b.position - a.position);
  for (const old of rows.splice(KEPT)) events.delete(old.key);
  const shown = new Set([...$('events').tBodies[0].children].map(row => row.dataset.key));
  keep($('events').tBodies[0], rows, {
    key: event => event.key,
    signature: event => Object.keys(event.sides).sort().join() + (logs[event.source] || ''),
    make: event => el('tr', { class: !first && !shown.has(event.key) && 'fresh' },
      el('td', {}, el('b', {}, event.type), ' ', el('span', { class: 'mono', title: event.subject || '' }, event.subject ? short(event.subject) : ''),
        el('small', {}, `version ${event.version ?? '–'}, position ${event.position ?? '–'}`)),
      ...SERVICES.map(service => side(event, service))),
  });
  $('no-events').hidden = rows.length > 0;
  $('missed').hidden = !missed;
  $('missed').textContent = `${missed} more went by between two looks: each service tells its last 32.`;
}

function drawState(service, status) {
  const lag = status.sources.reduce((most, source) => Math.max(most, source.lag || 0), 0);
  $(`state-${service}`).className = `state ${status.state}`;
  $(`state-${service}`).textContent = `${service}: ${status.state}`;
  $(`state-${service}`).title = status.problems.map(problem => problem.message).join(' ');
  $(`count-${service}`).textContent = `→ ${status.events.published} ← ${status.events.applied}` + (lag ? `, ${lag} behind` : '');
}

function lost(words) {
  down = down || new Date();
  for (const service of SERVICES) {
    $(`state-${service}`).className = 'state down';
    $(`state-${service}`).textContent = `${service}: no answer`;
  }
  const said = `${words} Since ${clock(down)}; what stands here is old. It is asked again each second.`;
  if ($('down').textContent !== said) $('down').textContent = said;   // told once, not each second
  $('down').hidden = false;
}

// CHANGED is called with the services that have something new, and with both when they answer again.
export async function look(changed) {
  let states;
  try {
    states = await Promise.all(SERVICES.map(async service =>
      (await send(request('GET', `/status/${service}?format=json`), { patience: 5000 })).data));
  } catch (e) {
    return lost(e.message);
  }
  const back = down;
  down = null;
  $('down').hidden = true;
  offset = Date.parse(states[0].time) - Date.now();
  const before = { ...heads };
  const news = SERVICES.filter((service, i) => {
    const fresh = take(service, states[i]);
    drawState(service, states[i]);
    return fresh || before[service] !== heads[service];
  });
  draw();
  first = false;
  const problems = states.flatMap(status => status.problems.map(problem => `${status.service}: ${problem.message}`));
  if (problems.length) { $('down').textContent = problems.join(' '); $('down').hidden = false; }
  if (back || news.length) changed(back ? SERVICES : news);
}

export async function follow(changed) {
  for (;;) {
    if (!document.hidden) await look(changed);
    await new Promise(done => {
      const timer = setTimeout(ready, EVERY);
      function ready() {
        clearTimeout(timer);
        document.removeEventListener('visibilitychange', ready);
        done();
      }
      document.addEventListener('visibilitychange', ready);   // somebody looks again
    });
  }
}
