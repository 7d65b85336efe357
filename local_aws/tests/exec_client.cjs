// A client of ECS Exec made of npm's ssm-session: node exec_client.cjs SSM_SESSION URL TOKEN [LINE...]
// Types each line when the terminal shows a `$ ` or `# `, prints what the terminal shows, and ends with the session.
const [, , place, url, token, ...lines] = process.argv;
const { ssm } = require(place);
const socket = new WebSocket(url);
socket.binaryType = "arraybuffer";
let expected = 0;
socket.addEventListener("open", () => ssm.init(socket, { token, termOptions: { rows: 33, cols: 111 } }));
socket.addEventListener("message", (event) => {
  const message = ssm.decode(event.data);
  if (message.messageType === "output_stream_data") {
    ssm.sendACK(socket, message);
    if (message.sequenceNumber !== expected || message.payloadType !== 1) return;
    expected += 1;
    const text = Buffer.from(message.payload).toString();
    process.stdout.write(text);
    if (/[$#] $/.test(text) && lines.length) ssm.sendText(socket, Buffer.from(lines.shift() + "\r"));
  } else if (message.messageType === "channel_closed") {
    process.stderr.write(Buffer.from(message.payload).toString());
    socket.close();
  }
});
socket.addEventListener("close", () => process.exit(0));
