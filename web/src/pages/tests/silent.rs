//! Breakers whose instances fell silent.

use super::incident_data::breaker_page;
use super::*;

#[test]
fn a_breaker_of_silent_instances_is_stale_on_no_number_of_them() {
    let mut page = breaker_page("payment");
    page.incident = None;
    let said = |page: &BreakerPage| {
        render(&frame("/breakers/payment/payment", &[]), "payment", |f| {
            breaker(page, f)
        })
    };
    page.detail.breaker.state = "stale".to_owned();
    page.detail.breaker.instances = 0;
    page.detail.breaker.instances_open = 0;
    let html = said(&page);
    assert!(
        html.contains("payment is stale; it did not open in this range"),
        "{html}"
    );
    page.detail.breaker.state = "closed".to_owned();
    page.detail.breaker.instances = 2;
    let html = said(&page);
    assert!(
        html.contains("payment is closed on 2 instances; it did not open in this range"),
        "{html}"
    );
}
