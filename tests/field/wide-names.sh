#!/usr/bin/env bash
# The line that is redrawn while a test waits stays one line, whatever the script of the names; a dumb terminal and a CI
# job's pseudo-terminal get lines. Field: console-rs/indicatif#360, #497, #798; superfly/flyctl#274 and
# serverless/serverless#10599 (Buildkite), 18F/culper#505 (CircleCI), a8m/pb#82.
. "$(dirname "$0")/lib.sh"
register() { # LOCATION TEST -> the run that holds the location
  [ "$(post /register "$(body "\"location\":\"$1\",\"factor\":0.9" | sed "s/\"test\":\"t\"/\"test\":\"$2\"/")")" = 200 ] ||
    wrong "$(cat "$W/answer")"
  field run_id
}
check() { # LOCATION TEST
  local id code; id=$(register "$1$N" "$2")
  python3 - "$BIN" "$1$N" "${FLAGS[@]}" <<'P'
import fcntl, os, pty, select, signal, struct, sys, termios, time, unicodedata
binary, location, *flags = sys.argv[1:]
def screen(seen, **more):
    """What a terminal of 80 columns is sent until `seen` of it."""
    pid, fd = pty.fork()
    if pid == 0:
        time.sleep(0.2)
        # A shell in the background has it ignored.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execve(binary, [binary, "run", *flags, "--location", location, "--factor", "0.5", "--wait", "1h", "--", "true"],
                  {**os.environ, "TERM": "xterm", **more})
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    out, end = b"", time.time() + 20
    while time.time() < end and not seen(out):
        if select.select([fd], [], [], 0.1)[0]: out += os.read(fd, 65536)
    # Two more ticks of what redraws once a second.
    end = time.time() + 2.5
    while time.time() < end:
        if select.select([fd], [], [], 0.1)[0]: out += os.read(fd, 65536)
    os.kill(pid, signal.SIGINT); time.sleep(0.3); os.close(fd); os.waitpid(pid, 0)
    return out.decode()
def columns(character):
    if unicodedata.category(character) in ("Mn", "Me", "Cf"): return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
def width(text): return sum(map(columns, text))
wrong = []
drawn = screen(lambda out: out.count(b"\x1b[K") > 2)
lines = [line.replace("\x1b[K", "") for line in drawn.replace("\n", "\r").split("\r")]
if drawn.count("\x1b[K") < 3: wrong.append("nothing is redrawn on a terminal")
if max(map(width, lines)) > 80: wrong.append(f"a line takes {max(map(width, lines))} of 80 columns")
waits = lambda out: b"waits at position" in out
for variables in [{"TERM": "dumb"}, {"TERM": ""}, {"CI": "true", "BUILDKITE": "true"}, {"CIRCLECI": "true"}, {"CI": "1"}]:
    shown = screen(waits, **variables)
    if "waits at position" not in shown: wrong.append(f"{variables}: nothing is said: {shown!r}")
    if "\x1b" in shown: wrong.append(f"{variables}: escape sequences are sent")
    if shown.count("waits at position") > 1: wrong.append(f"{variables}: a line a second")
sys.exit("WRONG: " + "; ".join(wrong) if wrong else 0)
P
  code=$?
  post /complete "{\"run_id\":$id,\"status\":\"success\"}" >/dev/null
  [ $code = 0 ] || exit $code
}
check "压测集群" "结账流程压力测试场景一二三四五六七八九十"
check "부하 시험" "결제 흐름 부하 시험 시나리오 하나 둘 셋 넷 다섯 여섯"
check "ภาคตะวันออก" "ทดสอบการชำระเงินของร้านค้าออนไลน์ทั้งหมดในช่วงเทศกาล"
check "🏭-farm" "👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻"
echo "one line, in columns"
