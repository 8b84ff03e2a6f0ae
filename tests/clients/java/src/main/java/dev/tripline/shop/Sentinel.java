package dev.tripline.shop;

import com.alibaba.csp.sentinel.Entry;
import com.alibaba.csp.sentinel.SphU;
import com.alibaba.csp.sentinel.Tracer;
import com.alibaba.csp.sentinel.slots.block.BlockException;
import com.alibaba.csp.sentinel.slots.block.RuleConstant;
import com.alibaba.csp.sentinel.slots.block.degrade.DegradeRule;
import com.alibaba.csp.sentinel.slots.block.degrade.DegradeRuleManager;
import com.alibaba.csp.sentinel.slots.block.degrade.circuitbreaker.EventObserverRegistry;
import io.opentelemetry.api.trace.Span;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sentinel, whose exports say nothing of a breaker's state: an observer logs it. */
final class Sentinel implements Guarded.Guard {
  private static final Logger LOG = LoggerFactory.getLogger("sentinel");
  private static final String RESOURCE = "payments-sentinel";
  private final Guarded.Pay pay;

  Sentinel(Guarded.Pay pay) {
    this.pay = pay;
    EventObserverRegistry.getInstance().addStateChangeObserver("log", (from, to, rule, snapshot) ->
        LOG.warn("Sentinel changed the breaker of {} from {} to {}", rule.getResource(), from, to));
    DegradeRuleManager.loadRules(List.of(new DegradeRule(RESOURCE)
        .setGrade(RuleConstant.DEGRADE_GRADE_EXCEPTION_COUNT)
        .setCount(2)
        .setMinRequestAmount(3)
        .setStatIntervalMs(10_000)
        .setTimeWindow(1)));
  }

  @Override
  public void call(boolean fails) throws Exception {
    Span.current().setAttribute("sentinel.resource", RESOURCE);
    Entry entry = SphU.entry(RESOURCE);
    try {
      pay.of(fails);
    } catch (Exception error) {
      Tracer.traceEntry(error, entry);
      throw error;
    } finally {
      entry.exit();
    }
  }

  @Override
  public boolean isRefusal(Exception error) {
    return error instanceof BlockException;
  }
}
