package dev.tripline.shop;

import io.github.resilience4j.circuitbreaker.CallNotPermittedException;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreakerRegistry;
import io.github.resilience4j.micrometer.tagged.TaggedCircuitBreakerMetrics;
import io.micrometer.core.instrument.Metrics;
import java.time.Duration;

/** resilience4j, its Micrometer meters sent by the agent. */
final class Resilience4j implements Guarded.Guard {
  private final CircuitBreaker breaker;
  private final Guarded.Pay pay;

  Resilience4j(Guarded.Pay pay) {
    this.pay = pay;
    CircuitBreakerRegistry breakers = CircuitBreakerRegistry.ofDefaults();
    TaggedCircuitBreakerMetrics.ofCircuitBreakerRegistry(breakers).bindTo(Metrics.globalRegistry);
    breaker = breakers.circuitBreaker("payments-resilience4j", CircuitBreakerConfig.custom()
        .slidingWindowSize(4)
        .minimumNumberOfCalls(4)
        .waitDurationInOpenState(Duration.ofMillis(2500))
        .permittedNumberOfCallsInHalfOpenState(1)
        .build());
  }

  @Override
  public void call(boolean fails) throws Exception {
    breaker.executeCallable(() -> pay.of(fails));
  }

  @Override
  public boolean isRefusal(Exception error) {
    return error instanceof CallNotPermittedException;
  }
}
