package dev.tripline.shop;

import com.netflix.hystrix.HystrixCommand;
import com.netflix.hystrix.HystrixCommandGroupKey;
import com.netflix.hystrix.HystrixCommandKey;
import com.netflix.hystrix.HystrixCommandProperties;
import com.netflix.hystrix.exception.HystrixRuntimeException;
import com.netflix.hystrix.exception.HystrixRuntimeException.FailureType;
import com.netflix.hystrix.strategy.HystrixPlugins;
import io.micrometer.core.instrument.Metrics;
import io.micrometer.core.instrument.binder.hystrix.HystrixMetricsBinder;

/** Hystrix, its commands traced by the agent and its Micrometer meters sent by it. */
final class Hystrix implements Guarded.Guard {
  private final Guarded.Pay pay;

  Hystrix(Guarded.Pay pay) {
    this.pay = pay;
    new HystrixMetricsBinder().bindTo(Metrics.globalRegistry);
  }

  private final class Command extends HystrixCommand<String> {
    private final boolean fails;

    Command(boolean fails) {
      super(Setter.withGroupKey(HystrixCommandGroupKey.Factory.asKey("shop"))
          .andCommandKey(HystrixCommandKey.Factory.asKey("payments-hystrix"))
          .andCommandPropertiesDefaults(HystrixCommandProperties.Setter()
              .withCircuitBreakerRequestVolumeThreshold(4)
              .withCircuitBreakerSleepWindowInMilliseconds(2500)
              .withExecutionTimeoutInMilliseconds(10000)
              .withMetricsHealthSnapshotIntervalInMilliseconds(50)));
      this.fails = fails;
    }

    @Override
    protected String run() throws Exception {
      return pay.of(fails);
    }
  }

  @Override
  public void call(boolean fails) {
    new Command(fails).execute();
  }

  @Override
  public boolean isRefusal(Exception error) {
    return error instanceof HystrixRuntimeException hystrix
        && hystrix.getFailureType() == FailureType.SHORTCIRCUIT;
  }
}
