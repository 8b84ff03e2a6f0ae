// Calls guarded by sony/gobreaker v2 and by go-kit's breaker, as a service of this ecosystem has
// them: OnStateChange logs through slog, whose records go out over OTLP, and a refused call is an
// error on its span.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-kit/kit/circuitbreaker"
	"github.com/go-kit/kit/endpoint"
	gobreakerv1 "github.com/sony/gobreaker"
	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

const openFor = time.Second

var errDown = errors.New("payments is down")

// guarded holds one call of each library; its argument says whether the callee fails.
type guarded struct {
	tracer trace.Tracer
	v2     *gobreaker.CircuitBreaker[any]
	goKit  endpoint.Endpoint
}

func newGuarded(log *slog.Logger, tracer trace.Tracer) *guarded {
	changed := func(name, from, to string) {
		log.Warn("circuit breaker state changed", "name", name, "from", from, "to", to)
	}
	v2 := gobreaker.NewCircuitBreaker[any](gobreaker.Settings{
		Name:        "payments",
		Timeout:     openFor,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= 3 },
		OnStateChange: func(name string, from, to gobreaker.State) {
			changed(name, from.String(), to.String())
		},
	})
	v1 := gobreakerv1.NewCircuitBreaker(gobreakerv1.Settings{
		Name:        "stock",
		Timeout:     openFor,
		ReadyToTrip: func(counts gobreakerv1.Counts) bool { return counts.ConsecutiveFailures >= 3 },
		OnStateChange: func(name string, from, to gobreakerv1.State) {
			changed(name, from.String(), to.String())
		},
	})
	call := func(_ context.Context, fails any) (any, error) {
		if fails.(bool) {
			return nil, errDown
		}
		return "done", nil
	}
	return &guarded{tracer: tracer, v2: v2, goKit: circuitbreaker.Gobreaker(v1)(call)}
}

func (g *guarded) handle(w http.ResponseWriter, r *http.Request) {
	fails := r.URL.Query().Get("fail") != ""
	callee := map[string]string{"gobreaker": "payments", "go-kit": "stock"}[r.PathValue("library")]
	ctx, span := g.tracer.Start(r.Context(), "call "+callee, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("service.peer.name", callee)))
	defer span.End()
	var err error
	switch callee {
	case "payments":
		_, err = g.v2.Execute(func() (any, error) {
			if fails {
				return nil, errDown
			}
			return "done", nil
		})
	case "stock":
		_, err = g.goKit(ctx, fails)
	default:
		http.NotFound(w, r)
		return
	}
	outcome := "success"
	if err != nil {
		outcome = "failure"
		if !errors.Is(err, errDown) {
			outcome = "rejected"
		}
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	answer(w, map[string]any{"outcome": outcome, "trace_id": span.SpanContext().TraceID().String()})
}
