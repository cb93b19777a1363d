"""python3 follow.py PUB REPLAY STATEFILE: keep a table of a service's tickets; each event takes effect exactly once.
For example: python3 follow.py tcp://127.0.0.1:5556 tcp://127.0.0.1:5557 tickets.db

It may be killed at any moment and goes on where it was. Put your own effect in place of the table "ticket". The
protocol and the rules are in docs/events.md. Needs Python 3.7 and pyzmq (Debian: python3-zmq)."""
import json, sqlite3, sys, time, zmq
PUB, REPLAY, STATEFILE = sys.argv[1:]
SILENCE, ANSWER, LAG = 3, 5, 5               # seconds: used at the end, in ask, in catch_up
NEVER = float("-inf")

db = sqlite3.connect(STATEFILE)
db.execute("PRAGMA journal_mode = WAL")      # so that others may read the table at any time
db.execute("CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY, source TEXT, position INTEGER, event_id TEXT)")
db.execute("CREATE TABLE IF NOT EXISTS ticket (id TEXT PRIMARY KEY, version INTEGER, data TEXT)")

def cursor():                                # of the last event that took effect
    return db.execute("SELECT source, position, event_id FROM cursor").fetchone() or ("", 0, "")

def move_cursor(*to):                        # always in the transaction of the effects
    db.execute("REPLACE INTO cursor VALUES (1, ?, ?, ?)", to)

def change(event):                           # the effect of one event; whether there was one
    data = event["data"]
    return event["type"] in ("ticket:created", "ticket:updated") and db.execute(
        "INSERT INTO ticket VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET version = excluded.version, "
        "data = excluded.data WHERE excluded.version > version",     # a snapshot may be ahead of its position
        (data["id"], data["version"], json.dumps(data))).rowcount > 0

def take(source, texts):                     # events, live or replayed
    (_, position, event_id), lines = cursor(), []
    with db:                                 # one transaction
        for event in map(json.loads, texts):
            if int(event["sequence"]) == position + 1:               # a lower one is known
                position, event_id = position + 1, event["id"]
                if change(event):
                    lines.append(f"{position} {event['type']} {event['subject']} {event['data']['version']}\n")
        move_cursor(source, position, event_id)
    print(*lines, sep="", end="", flush=True)

def take_snapshot(kind, page):               # instead of all we have
    with db:                                 # one transaction: a snapshot that is interrupted has not begun
        db.execute("DELETE FROM ticket")
        while kind == "SNAPSHOT":
            source, position, event_id, _, last, *events = page
            for text in events[1::2]:
                change(json.loads(text))
            kind, page = ask("SNAPSHOT", source, position, event_id, last, 500) if last else ("END", None)
        if kind != "END":
            raise ConnectionError("the log was replaced during a snapshot")
        move_cursor(source, int(position), event_id)
    print(position, "snapshot", flush=True)

def ask(*request):                           # one request, one answer, on a socket of its own:
    with zmq.Context.instance().socket(zmq.REQ) as req:   # an answer that comes late ends with it
        req.linger, req.rcvtimeo = 0, ANSWER * 1000
        req.connect(REPLAY)
        req.send_multipart([str(frame).encode() for frame in request])
        kind, *answer = [frame.decode() for frame in req.recv_multipart()]
    if kind == "ERROR":
        raise ConnectionError(answer[0])
    return kind, answer

def catch_up():                              # compare the cursor with the log, and take all that follows it
    while sub.poll(0):                       # what waits here is in the log as well, or of a log that is no more
        sub.recv_multipart()
    patience = time.monotonic() + LAG
    while True:
        kind, answer = ask("REPLAY", *cursor(), 500)
        if kind == "EVENTS":                 # source head (subject event)*
            take(answer[0], answer[3::2])
            if cursor()[1] >= int(answer[1]) or not answer[2:]:
                return
        elif kind == "SNAPSHOT":             # the cursor is older than what is kept
            take_snapshot(kind, answer)
        elif int(answer[1]) < cursor()[1] and time.monotonic() < patience:
            time.sleep(0.5)                  # RESET by a log that ends before: maybe a machine that lags
        else:                                # RESET: the log is another one, restored from a backup
            take_snapshot(*ask("SNAPSHOT", answer[0], 0, "", "", 500))

sub = zmq.Context.instance().socket(zmq.SUB)
disconnects = sub.get_monitor_socket(zmq.EVENT_DISCONNECTED)
sub.subscribe(""), sub.connect(PUB)          # everything: positions count all events of a log
heard = NEVER                                # when the log was last known to be the one of the cursor
while True:
    subject, text = sub.recv_multipart() if sub.poll(SILENCE * 1000) else (b"", b"{}")
    while disconnects.poll(0):               # another may speak now
        heard = disconnects.recv_multipart() and NEVER
    event, (source, position, _) = json.loads(text), cursor()
    ahead = int(event.get("sequence", 0)) - position
    is_same = event.get("source") == source and time.monotonic() - heard <= SILENCE
    try:
        if is_same and subject != b"heartbeat" and ahead <= 1:
            take(source, [text])
        elif not is_same or ahead != 0:      # something is missing, or may be
            catch_up()
        heard = time.monotonic()
    except (ConnectionError, zmq.Again) as why:
        print("no answer:", why, file=sys.stderr, flush=True)
        heard = NEVER
