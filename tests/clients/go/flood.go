package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
)

// flood ends more spans than a throttled server takes, through a batch processor and an exporter as
// they come, and answers what the SDK itself counted (with OTEL_GO_X_OBSERVABILITY=true).
func flood(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.PathValue("seconds"))
	if err != nil {
		http.Error(w, "seconds are a number", http.StatusBadRequest)
		return
	}
	rate, err := strconv.Atoi(r.PathValue("rate"))
	if err != nil {
		http.Error(w, "a rate is a number", http.StatusBadRequest)
		return
	}
	counts, err := flooded(r.Context(), time.Duration(seconds)*time.Second, rate)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, counts)
}

func flooded(ctx context.Context, length time.Duration, rate int) (map[string]any, error) {
	// The SDK's own metrics go to the provider that is set when its parts are made.
	reader := sdkmetric.NewManualReader()
	usual := otel.GetMeterProvider()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, err
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
	otel.SetMeterProvider(usual)

	tracer := provider.Tracer("flood")
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	offered := 0
	for begin := time.Now(); time.Since(begin) < length; <-ticks.C {
		for range rate / 100 {
			_, span := tracer.Start(ctx, "flood")
			span.End()
			offered++
		}
	}
	if err := provider.Shutdown(ctx); err != nil {
		log.Print(err)
	}
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &collected); err != nil {
		return nil, err
	}
	counts := map[string]any{"offered": offered}
	for _, scope := range collected.ScopeMetrics {
		for _, metric := range scope.Metrics {
			sum, isSum := metric.Data.(metricdata.Sum[int64])
			if !isSum {
				continue
			}
			for _, point := range sum.DataPoints {
				outcome := "ok"
				if why, isFailure := point.Attributes.Value(attribute.Key("error.type")); isFailure {
					outcome = why.AsString()
				}
				counts[fmt.Sprintf("%s %s", metric.Name, outcome)] = point.Value
			}
		}
	}
	return counts, nil
}
