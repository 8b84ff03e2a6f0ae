package dev.tripline.shop;

import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Scope;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Map;

/** One call of payments under each library: /guarded/resilience4j, /guarded/hystrix, /guarded/sentinel. */
final class Guarded extends HttpServlet {
  /** The call that is guarded. */
  interface Pay {
    String of(boolean fails) throws Exception;
  }

  /** A library around the call; throws what the library throws. */
  interface Guard {
    void call(boolean fails) throws Exception;

    boolean isRefusal(Exception error);
  }

  private final Tracer tracer;
  private final Map<String, Guard> guards;

  Guarded(Tracer tracer, Pay pay) {
    this.tracer = tracer;
    guards = Map.of(
        "resilience4j", new Resilience4j(pay),
        "hystrix", new Hystrix(pay),
        "sentinel", new Sentinel(pay));
  }

  @Override
  protected void doGet(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    Guard guard = guards.get(request.getPathInfo().substring(1));
    Span span = tracer.spanBuilder("pay").startSpan();
    String outcome = "success";
    try (Scope scope = span.makeCurrent()) {
      guard.call(request.getParameter("fail") != null);
    } catch (Exception error) {
      outcome = guard.isRefusal(error) ? "rejected" : "failure";
      span.recordException(error);
      span.setStatus(StatusCode.ERROR, String.valueOf(error.getMessage()));
    } finally {
      span.end();
    }
    Shop.answer(response, 200, "{\"outcome\":\"" + outcome + "\",\"trace_id\":\""
        + span.getSpanContext().getTraceId() + "\"}");
  }
}
