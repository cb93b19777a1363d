// node follow.js PUB REPLAY STATEFILE: keep a map of a service's tickets; each event takes effect exactly once.
// For example: node follow.js tcp://127.0.0.1:5556 tcp://127.0.0.1:5557 tickets.json
// It may be killed at any moment and goes on where it was. Put your own effect in place of the map "tickets". The
// protocol and the rules are in docs/events.md. Needs Node.js 18, and zeromq 6: npm ci
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import * as zmq from "zeromq";
const [PUB, REPLAY, STATEFILE] = process.argv.slice(2);
const SILENCE = 3000, ANSWER = 5000, LAG = 5000;   // milliseconds: used at the end, in ask, in catchUp
class NoAnswer extends Error {}                    // or none that helps: try again later

let state = fs.existsSync(STATEFILE) ? JSON.parse(fs.readFileSync(STATEFILE))
                                     : { source: "", position: 0, eventId: "", tickets: {} };

function save(next) {                              // the effects and the cursor: one file, replaced as a whole
  const file = fs.openSync(STATEFILE + ".new", "w");
  fs.writeFileSync(file, JSON.stringify(next));
  fs.fsyncSync(file), fs.closeSync(file);
  fs.renameSync(STATEFILE + ".new", STATEFILE);
  state = next;
}

function change(tickets, { type, data }) {         // the effect of one event; whether there was one
  if (!["ticket:created", "ticket:updated"].includes(type)) return false;
  return !(tickets[data.id]?.version >= data.version) && Boolean(tickets[data.id] = data);   // known from a snapshot?
}

function take(source, texts) {                     // events, live or replayed
  let next = { ...state, source, tickets: { ...state.tickets } }, lines = "";
  for (const event of texts.map((text) => JSON.parse(text))) {
    if (Number(event.sequence) !== next.position + 1) continue;      // a lower one is known
    [next.position, next.eventId] = [next.position + 1, event.id];
    if (change(next.tickets, event)) lines += `${next.position} ${event.type} ${event.subject} ${event.data.version}\n`;
  }
  save(next);
  process.stdout.write(lines);
}

async function takeSnapshot(page) {                // instead of all we have, once its last page is here
  for (const tickets = {}; ;) {
    const [kind, source, position, eventId, , last, ...events] = page;
    if (kind !== "SNAPSHOT") throw new NoAnswer("the log was replaced during a snapshot");
    events.forEach((text, i) => i % 2 && change(tickets, JSON.parse(text)));
    if (!last) save({ source, position: Number(position), eventId, tickets });
    if (!last) return console.log(position, "snapshot");
    page = await ask("SNAPSHOT", source, position, eventId, last, 500);
  }
}

async function receive(socket, timeout) {          // frames as texts; undefined when the time is over
  socket.receiveTimeout = timeout;
  return (await socket.receive().catch((error) => { if (error.code !== "EAGAIN") throw error; }))?.map(String);
}

async function ask(...request) {                   // one request, one answer, on a socket of its own:
  const req = new zmq.Request({ linger: 0 });      // an answer that comes late ends with it
  req.connect(REPLAY);
  await req.send(request.map(String));
  const answer = await receive(req, ANSWER) ?? ["ERROR", "none in time"];
  req.close();
  if (answer[0] === "ERROR") throw new NoAnswer(answer[1]);
  return answer;
}

async function catchUp() {                         // compare the cursor with the log, and take all that follows it
  while (await receive(sub, 0));                   // what waits is in the log as well, or of a log that is no more
  for (const patience = performance.now() + LAG; ;) {
    const answer = await ask("REPLAY", state.source, state.position, state.eventId, 500);
    const [kind, source, head, ...events] = answer;
    if (kind === "EVENTS") {
      take(source, events.filter((_, i) => i % 2));
      if (state.position >= Number(head) || !events.length) return;
    } else if (kind === "SNAPSHOT") await takeSnapshot(answer);      // the cursor is older than what is kept
    else if (Number(head) < state.position && performance.now() < patience)
      await sleep(500);                            // RESET by a log that ends before: maybe a machine that lags
    else                                           // RESET: the log is another one, restored from a backup
      await takeSnapshot(await ask("SNAPSHOT", source, 0, "", "", 500));
  }
}

let heard = -Infinity, isNew = false;              // when the log was last known to be the one of the cursor
const sub = new zmq.Subscriber();
sub.events.on("disconnect", () => { isNew = true; });   // another may speak now
sub.subscribe(""), sub.connect(PUB);               // everything: positions count all events of a log
for (;;) {
  const [subject, text] = await receive(sub, SILENCE) ?? ["", "{}"];
  if (isNew) [heard, isNew] = [-Infinity, false];
  const event = JSON.parse(text), ahead = Number(event.sequence) - state.position;
  const isSame = event.source === state.source && performance.now() - heard <= SILENCE;
  try {
    if (isSame && subject !== "heartbeat" && ahead <= 1) take(event.source, [text]);
    else if (!isSame || ahead !== 0) await catchUp();   // something is missing, or may be
    heard = performance.now();
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    console.error("no answer:", error.message);
    heard = -Infinity;
  }
}
