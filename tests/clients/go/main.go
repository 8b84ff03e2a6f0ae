// A small net/http shop under the stock OpenTelemetry Go SDK. Spans of HTTP in and out come from
// otelhttp, log records from slog through its bridge, metrics from both and from the runtime;
// the counter, the histogram and one inner span are made by hand. Protocol and endpoint come from
// OTEL_* through the SDK's own autoexport.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/log/global"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

type shop struct {
	address string
	client  http.Client
	log     *slog.Logger
	tracer  oteltrace.Tracer
	placed  metric.Int64Counter
	amount  metric.Float64Histogram
}

// setUp installs the three signals' providers and returns what flushes them.
func setUp(ctx context.Context) (func(context.Context), error) {
	spans, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, err
	}
	reader, err := autoexport.NewMetricReader(ctx)
	if err != nil {
		return nil, err
	}
	records, err := autoexport.NewLogExporter(ctx)
	if err != nil {
		return nil, err
	}
	traces := trace.NewTracerProvider(trace.WithBatcher(spans))
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	logs := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(records)))
	otel.SetTracerProvider(traces)
	otel.SetMeterProvider(metrics)
	global.SetLoggerProvider(logs)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return func(ctx context.Context) {
		for _, shutdown := range []func(context.Context) error{traces.Shutdown, metrics.Shutdown, logs.Shutdown} {
			if err := shutdown(ctx); err != nil {
				log.Print(err)
			}
		}
	}, runtime.Start()
}

func (s *shop) order(w http.ResponseWriter, r *http.Request) {
	order, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.Error(w, "an order is a number", http.StatusBadRequest)
		return
	}
	ctx, span := s.tracer.Start(r.Context(), "price order")
	defer span.End()
	span.SetAttributes(attribute.Int64("order.id", order), attribute.Bool("order.express", true),
		attribute.StringSlice("order.items", []string{"pear", "plum"}))
	channel := metric.WithAttributes(attribute.String("channel", "web"))
	s.placed.Add(ctx, 1, channel)
	s.amount.Record(ctx, float64(order)*1.5, channel)
	s.log.InfoContext(ctx, fmt.Sprintf("order %d placed", order), "order.id", order)
	stock, err := s.stockOf(ctx, order)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	answer(w, map[string]any{"order": order, "stock": stock, "trace_id": span.SpanContext().TraceID().String()})
}

func (s *shop) stockOf(ctx context.Context, order int64) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/stock/%d", s.address, order), nil)
	if err != nil {
		return 0, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var body struct{ Stock int64 }
	return body.Stock, json.NewDecoder(response.Body).Decode(&body)
}

func (s *shop) stock(w http.ResponseWriter, r *http.Request) {
	answer(w, map[string]any{"stock": len(r.PathValue("id")) % 3})
}

func (s *shop) fail(w http.ResponseWriter, r *http.Request) {
	span := oteltrace.SpanFromContext(r.Context())
	id := span.SpanContext().TraceID().String()
	err := fmt.Errorf("payment refused in %s", id)
	s.log.ErrorContext(r.Context(), fmt.Sprintf("payment of trace %s failed", id))
	span.RecordError(err)
	span.SetStatus(codes.Error, err.Error())
	http.Error(w, err.Error(), http.StatusInternalServerError)
}

func answer(w http.ResponseWriter, body map[string]any) {
	w.Header().Set("content-type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Print(err)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	flush, err := setUp(ctx)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	meter := otel.Meter("shop", metric.WithInstrumentationVersion("1.0.0"))
	s := &shop{
		address: listener.Addr().String(),
		client:  http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport), Timeout: 10 * time.Second},
		log:     otelslog.NewLogger("shop"),
		tracer:  otel.Tracer("shop", oteltrace.WithInstrumentationVersion("1.0.0")),
	}
	if s.placed, err = meter.Int64Counter("orders.placed", metric.WithUnit("{order}")); err != nil {
		return err
	}
	if s.amount, err = meter.Float64Histogram("order.amount", metric.WithUnit("EUR")); err != nil {
		return err
	}
	callee, stopPayments, err := servePayments(ctx)
	if err != nil {
		return err
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /orders/{id}", s.order)
	routes.HandleFunc("GET /stock/{id}", s.stock)
	routes.HandleFunc("GET /fail", s.fail)
	all := http.NewServeMux()
	all.Handle("/", otelhttp.NewHandler(routes, "http"))
	all.HandleFunc("GET /flood/{seconds}/{rate}", flood)
	all.Handle("/guarded/", newGuarded(s.log, s.tracer, callee).routes())
	server := &http.Server{Handler: all, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(late); err != nil {
			log.Print(err)
		}
	}()
	fmt.Printf("{\"listening\": %q}\n", s.address)
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	late, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := stopPayments(late); err != nil {
		log.Print(err)
	}
	flush(late)
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
