// Calls guarded by sony/gobreaker v2 and by go-kit's breaker, as a service of this ecosystem has
// them: Gin in, gRPC out, OnStateChange logs through slog, whose records go out over OTLP, and a
// refused call is an error on the span around it.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-kit/kit/circuitbreaker"
	"github.com/go-kit/kit/endpoint"
	gobreakerv1 "github.com/sony/gobreaker"
	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/health/grpc_health_v1"
)

const openFor = time.Second

// guarded holds one call of each library; its argument is what payments is asked for.
type guarded struct {
	tracer trace.Tracer
	calls  map[string]func(ctx context.Context, asked string) error
}

func newGuarded(log *slog.Logger, tracer trace.Tracer, payments grpc_health_v1.HealthClient) *guarded {
	check := func(ctx context.Context, asked string) (any, error) {
		return payments.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: asked})
	}
	v2 := gobreaker.NewCircuitBreaker[any](gobreaker.Settings{
		Name:        "payments",
		Timeout:     openFor,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= 3 },
		OnStateChange: func(name string, from, to gobreaker.State) {
			log.Warn("circuit breaker state changed", "name", name, "from", from.String(), "to", to.String())
		},
	})
	v1 := gobreakerv1.NewCircuitBreaker(gobreakerv1.Settings{
		Name:        "payments-kit",
		Timeout:     openFor,
		ReadyToTrip: func(counts gobreakerv1.Counts) bool { return counts.ConsecutiveFailures >= 3 },
		OnStateChange: func(name string, from, to gobreakerv1.State) {
			log.Warn("circuit breaker state changed", "name", name, "from", from.String(), "to", to.String())
		},
	})
	kit := circuitbreaker.Gobreaker(v1)(endpoint.Endpoint(func(ctx context.Context, asked any) (any, error) {
		return check(ctx, asked.(string))
	}))
	return &guarded{tracer: tracer, calls: map[string]func(context.Context, string) error{
		"payments": func(ctx context.Context, asked string) error {
			_, err := v2.Execute(func() (any, error) { return check(ctx, asked) })
			return err
		},
		"payments-kit": func(ctx context.Context, asked string) error {
			_, err := kit(ctx, asked)
			return err
		},
	}}
}

// routes is a Gin engine under its stock middleware.
func (g *guarded) routes() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(otelgin.Middleware("shop"))
	engine.GET("/guarded/:breaker", g.handle)
	return engine
}

func (g *guarded) handle(c *gin.Context) {
	name := c.Param("breaker")
	call, known := g.calls[name]
	if !known {
		c.Status(http.StatusNotFound)
		return
	}
	asked := ""
	if c.Query("fail") != "" {
		asked = down
	}
	ctx, span := g.tracer.Start(c.Request.Context(), "pay",
		trace.WithAttributes(attribute.String("circuit_breaker.name", name)))
	defer span.End()
	outcome := "success"
	if err := call(ctx, asked); err != nil {
		outcome = "failure"
		if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreakerv1.ErrOpenState) {
			outcome = "rejected"
		}
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	c.JSON(http.StatusOK, gin.H{"outcome": outcome, "trace_id": span.SpanContext().TraceID().String()})
}
