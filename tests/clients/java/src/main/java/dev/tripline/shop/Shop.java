package dev.tripline.shop;

import io.opentelemetry.api.GlobalOpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.metrics.DoubleHistogram;
import io.opentelemetry.api.metrics.LongCounter;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Scope;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A small servlet shop under the OpenTelemetry Java agent: the spans of HTTP in and out, the log
 * records of Logback and the metrics of HTTP and of the JVM come from the agent; only the counter,
 * the histogram and one inner span are made by hand. Protocol and endpoint come from OTEL_*.
 */
public final class Shop {
  private static final Logger LOG = LoggerFactory.getLogger("shop");
  private static final Attributes WEB = Attributes.of(AttributeKey.stringKey("channel"), "web");

  private final HttpClient client = HttpClient.newHttpClient();
  private final Tracer tracer = GlobalOpenTelemetry.getTracer("shop", "1.0.0");
  private final LongCounter placed;
  private final DoubleHistogram amount;
  private String address;

  private Shop() {
    Meter meter = GlobalOpenTelemetry.getMeter("shop");
    placed = meter.counterBuilder("orders.placed").setUnit("{order}").build();
    amount = meter.histogramBuilder("order.amount").setUnit("EUR").build();
  }

  private final class Orders extends HttpServlet {
    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      long order = Long.parseLong(request.getPathInfo().substring(1));
      Span span = tracer.spanBuilder("price order").startSpan();
      try (Scope scope = span.makeCurrent()) {
        span.setAttribute("order.id", order);
        span.setAttribute("order.express", true);
        span.setAttribute(AttributeKey.stringArrayKey("order.items"), java.util.List.of("pear", "plum"));
        placed.add(1, WEB);
        amount.record(order * 1.5, WEB);
        LOG.info("order {} placed", order);
        String stock = get("/stock/" + order);
        answer(response, 200, "{\"order\":" + order + ",\"stock\":" + stock + ",\"trace_id\":\""
            + span.getSpanContext().getTraceId() + "\"}");
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      } finally {
        span.end();
      }
    }
  }

  private static final class Stock extends HttpServlet {
    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      answer(response, 200, String.valueOf(request.getPathInfo().length() % 3));
    }
  }

  private static final class Fail extends HttpServlet {
    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) {
      String trace = Span.current().getSpanContext().getTraceId();
      LOG.error("payment of trace {} failed", trace);
      throw new IllegalStateException("payment refused in " + trace);
    }
  }

  private static final class Payments extends HttpServlet {
    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      answer(response, request.getParameter("fail") == null ? 200 : 503, "{}");
    }
  }

  private String get(String path) throws IOException, InterruptedException {
    HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + address + path)).build();
    HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() >= 500) {
      throw new IOException(path + " answered " + response.statusCode());
    }
    return response.body();
  }

  private String pay(boolean fails) throws IOException, InterruptedException {
    return get(fails ? "/payments?fail=1" : "/payments");
  }

  static void answer(HttpServletResponse response, int status, String body)
      throws IOException {
    response.setStatus(status);
    response.setContentType("application/json");
    response.getWriter().write(body);
  }

  private void serve() throws Exception {
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    server.addConnector(connector);
    ServletContextHandler routes = new ServletContextHandler("/");
    routes.addServlet(new ServletHolder(new Orders()), "/orders/*");
    routes.addServlet(new ServletHolder(new Stock()), "/stock/*");
    routes.addServlet(new ServletHolder(new Fail()), "/fail");
    routes.addServlet(new ServletHolder(new Payments()), "/payments");
    routes.addServlet(new ServletHolder(new Guarded(tracer, this::pay)), "/guarded/*");
    server.setHandler(routes);
    server.start();
    address = "127.0.0.1:" + connector.getLocalPort();
    System.out.println("{\"listening\": \"" + address + "\"}");
    server.join();
  }

  public static void main(String[] arguments) throws Exception {
    new Shop().serve();
  }
}
