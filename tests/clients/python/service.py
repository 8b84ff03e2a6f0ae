"""A small Flask shop under the stock OpenTelemetry Python distribution.

Started by `opentelemetry-instrument`: the spans of HTTP in and out, the log records of the
standard logging module and the metrics of both come from auto-instrumentation; only the counter,
the histogram and one inner span are made by hand. Protocol and endpoint come from OTEL_*.
"""

import json
import logging
import signal
import sys

import pybreaker
import requests
from flask import Flask, jsonify, request
from opentelemetry import metrics, trace
from werkzeug.serving import make_server

app = Flask(__name__)
log = logging.getLogger("shop")
log.setLevel(logging.INFO)
tracer = trace.get_tracer("shop", "1.0.0")
meter = metrics.get_meter("shop", "1.0.0")
placed = meter.create_counter("orders.placed", unit="{order}", description="Orders taken")
amount = meter.create_histogram("order.amount", unit="EUR", description="Worth of an order")
address = None


@app.get("/orders/<int:order>")
def place(order):
    with tracer.start_as_current_span("price order") as span:
        span.set_attribute("order.id", order)
        span.set_attribute("order.express", True)
        span.set_attribute("order.items", ["pear", "plum"])
        placed.add(1, {"channel": "web"})
        amount.record(order * 1.5, {"channel": "web"})
        log.info("order %d placed", order, extra={"order.id": order})
        stock = requests.get(f"http://{address}/stock/{order}", timeout=10).json()
        trace_id = trace.format_trace_id(span.get_span_context().trace_id)
    return jsonify(order=order, stock=stock["stock"], trace_id=trace_id)


@app.get("/stock/<int:order>")
def stock(order):
    return jsonify(stock=order % 3)


# Changes of state as log records, in the trace of the call that caused them.
class Told(pybreaker.CircuitBreakerListener):
    def state_change(self, cb, old_state, new_state):
        log.warning("circuit breaker %s state changed from %s to %s", cb.name, old_state.name, new_state.name)


payments = pybreaker.CircuitBreaker(
    fail_max=3, reset_timeout=1, name="payments", listeners=[Told()], throw_new_error_on_trip=False
)


def pay(fails):
    if fails:
        raise ConnectionError("payments is down")


@app.get("/guarded/pybreaker")
def guarded():
    span = tracer.start_as_current_span(
        "call payments",
        kind=trace.SpanKind.CLIENT,
        attributes={"service.peer.name": "payments"},
        record_exception=False,
        set_status_on_exception=False,
    )
    outcome = "success"
    with span as span:
        try:
            payments.call(pay, "fail" in request.args)
        except (ConnectionError, pybreaker.CircuitBreakerError) as error:
            outcome = "failure" if isinstance(error, ConnectionError) else "rejected"
            span.record_exception(error)
            span.set_status(trace.StatusCode.ERROR, str(error))
        trace_id = trace.format_trace_id(span.get_span_context().trace_id)
    return jsonify(outcome=outcome, trace_id=trace_id)


@app.get("/fail")
def fail():
    trace_id = trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)
    log.error("payment of trace %s failed", trace_id)
    raise RuntimeError(f"payment refused in {trace_id}")


def main():
    global address
    server = make_server("127.0.0.1", 0, app, threaded=True)
    address = f"127.0.0.1:{server.port}"
    # A clean exit lets the SDK's exit hooks send what is still buffered.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(json.dumps({"listening": address}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
