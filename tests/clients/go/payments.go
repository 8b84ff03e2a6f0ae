// The callee of the guarded calls: gRPC's own health service, as a service named payments, with
// the stock stats handler of otelgrpc on both ends.
package main

import (
	"context"
	"net"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// down is what payments is asked for when it is to fail.
const down = "down"

type payments struct {
	grpc_health_v1.UnimplementedHealthServer
}

func (payments) Check(_ context.Context, asked *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	if asked.Service == down {
		return nil, status.Error(codes.Unavailable, "payments is down")
	}
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
}

// servePayments starts payments under its own service name and returns a client of it and what
// stops both.
func servePayments(ctx context.Context) (grpc_health_v1.HealthClient, func(context.Context) error, error) {
	spans, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, nil, err
	}
	own, err := resource.Merge(resource.Default(), resource.NewSchemaless(attribute.String("service.name", "payments")))
	if err != nil {
		return nil, nil, err
	}
	traces := trace.NewTracerProvider(trace.WithBatcher(spans), trace.WithResource(own))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	server := grpc.NewServer(grpc.StatsHandler(otelgrpc.NewServerHandler(otelgrpc.WithTracerProvider(traces))))
	grpc_health_v1.RegisterHealthServer(server, payments{})
	go server.Serve(listener)
	connection, err := grpc.NewClient(listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler()))
	if err != nil {
		return nil, nil, err
	}
	stop := func(ctx context.Context) error {
		connection.Close()
		server.Stop()
		return traces.Shutdown(ctx)
	}
	return grpc_health_v1.NewHealthClient(connection), stop, nil
}
