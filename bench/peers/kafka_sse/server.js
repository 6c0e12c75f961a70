// KafkaSSE behind a bare HTTP server, as its README has it, for the benchmark that puts it beside ours.
//
//     node server.js PORT BOOTSTRAP
//
// `GET /TOPIC` streams a topic of one partition from its first record on, or from the Last-Event-ID that is sent. Every
// client has a Kafka consumer of its own; Kafka alone keeps the events.
'use strict';

const http = require('http');
const bunyan = require('bunyan');
const kafkaSse = require('kafka-sse');

const [port, bootstrap] = process.argv.slice(2);
const options = {
    kafkaConfig: { 'metadata.broker.list': bootstrap },
    logger: bunyan.createLogger({ name: 'KafkaSSE', level: 'warn' }), // else each event is logged for debugging
    // The default parses the value, adds where it came from, and serialises it again.
    deserializer: (kafkaMessage) => Object.assign(kafkaMessage, { message: kafkaMessage.value.toString() }),
};

http.createServer((request, response) => {
    const topic = request.url.slice(1);
    if (topic === 'healthz') {
        response.end();
        return;
    }
    kafkaSse(request, response, [{ topic, partition: 0, offset: 0 }], options);
}).listen(Number(port), '127.0.0.1', 1024); // connections that wait, as many as ours lets wait
