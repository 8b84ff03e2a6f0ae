// A small Express shop under the stock OpenTelemetry Node SDK, loaded with
// `--require @opentelemetry/auto-instrumentations-node/register`: the spans of HTTP in and out and
// pino's log records come from auto-instrumentation; only the counter, the histogram and one inner
// span are made by hand. Protocol and endpoint come from OTEL_*.
'use strict';

const http = require('node:http');
const express = require('express');
const { metrics, trace, SpanStatusCode } = require('@opentelemetry/api');
// Standard error: standard output carries the one line that says where the service listens.
const log = require('pino')({ name: 'shop' }, require('pino').destination(2));

const tracer = trace.getTracer('shop', '1.0.0');
const meter = metrics.getMeter('shop', '1.0.0');
const placed = meter.createCounter('orders.placed', { unit: '{order}' });
const amount = meter.createHistogram('order.amount', { unit: 'EUR' });
const app = express();
let address;

function get(path) {
  return new Promise((resolve, reject) => {
    http.get(`http://${address}${path}`, (response) => {
      let body = '';
      response.on('data', (part) => (body += part));
      response.on('end', () => (response.statusCode < 500
        ? resolve(JSON.parse(body)) : reject(new Error(`${path} answered ${response.statusCode}`))));
    }).on('error', reject);
  });
}

app.get('/orders/:id', (request, response) =>
  tracer.startActiveSpan('price order', async (span) => {
    const order = Number(request.params.id);
    span.setAttributes({ 'order.id': order, 'order.express': true, 'order.items': ['pear', 'plum'] });
    placed.add(1, { channel: 'web' });
    amount.record(order * 1.5, { channel: 'web' });
    log.info({ 'order.id': order }, `order ${order} placed`);
    const { stock } = await get(`/stock/${order}`);
    span.end();
    response.json({ order, stock, trace_id: span.spanContext().traceId });
  }));

app.get('/stock/:id', (request, response) => {
  response.json({ stock: Number(request.params.id) % 3 });
});

app.get('/fail', (request, response) => {
  const span = trace.getActiveSpan();
  const traceId = span.spanContext().traceId;
  const error = new Error(`payment refused in ${traceId}`);
  log.error(`payment of trace ${traceId} failed`);
  span.recordException(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  response.status(500).json({ error: error.message });
});

app.get('/payments', (request, response) => {
  response.status('fail' in request.query ? 503 : 200).json({ paid: true });
});

require('./breakers')(app, (fails) => get(fails ? '/payments?fail' : '/payments'));

// The registered SDK flushes on SIGTERM by itself; this only lets the process end afterwards.
const server = app.listen(0, '127.0.0.1', () => {
  address = `127.0.0.1:${server.address().port}`;
  process.stdout.write(`${JSON.stringify({ listening: address })}\n`);
});
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
  setTimeout(() => process.exit(0), 3000);
});
