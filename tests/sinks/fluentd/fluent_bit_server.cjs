// A Forward server of @fluent-org/logger: prints its port, and then each entry that it takes in, as lines of JSON.
const {FluentServer} = require("@fluent-org/logger");

const options = JSON.parse(process.argv[2]);
const server = new FluentServer(options);

server.on("entry", (tag, time, record) => {
  const moment = typeof time === "number" ? time : [time.epoch, time.nano];
  process.stdout.write(JSON.stringify({tag, time: moment, record}) + "\n");
});
server.listen().then(() => process.stdout.write(JSON.stringify({port: server.port ?? null}) + "\n"));
