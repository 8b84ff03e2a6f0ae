// A call guarded by opossum, as a service of this ecosystem has it: opossum-prometheus counts its
// events, a few lines bridge that counter to OpenTelemetry, and what a call throws is on its span.
'use strict';

const { metrics, trace, SpanStatusCode } = require('@opentelemetry/api');
const CircuitBreaker = require('opossum');
const PrometheusMetrics = require('opossum-prometheus');
const { Registry } = require('prom-client');

const registry = new Registry();

function observed(circuit) {
  // Only events somebody listens to are counted; opossum itself does not listen to this one.
  circuit.on('halfOpen', () => {});
  return new PrometheusMetrics({ circuits: [circuit], registry, exposePerformanceMetrics: false });
}

// What Prometheus would scrape, sent over OTLP instead.
metrics.getMeter('opossum').createObservableCounter('circuit').addCallback(async (result) => {
  const counter = registry.getSingleMetric('circuit');
  for (const { labels, value } of (await counter?.get())?.values ?? []) result.observe(value, labels);
});

module.exports = function guard(app, pay) {
  const tracer = trace.getTracer('shop', '1.0.0');
  const circuit = new CircuitBreaker(pay, {
    name: 'payments', resetTimeout: 1000, errorThresholdPercentage: 50, volumeThreshold: 4,
  });
  observed(circuit);
  app.get('/guarded/payments', (request, response) =>
    tracer.startActiveSpan('pay', { attributes: { 'circuit.name': circuit.name } }, async (span) => {
      let outcome = 'success';
      try {
        await circuit.fire('fail' in request.query);
      } catch (error) {
        outcome = error.code === 'EOPENBREAKER' ? 'rejected' : 'failure';
        span.recordException(error);
        span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      }
      span.end();
      response.json({ outcome, trace_id: span.spanContext().traceId });
    }));
};
