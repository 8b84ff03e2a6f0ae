//! What-if where it has no answer.

use tripline_storage::model::WhatIf;

use super::incident_data::what_if_of;
use super::*;

#[test]
fn what_if_says_why_it_refuses_and_shows_no_number() {
    let refused = WhatIf {
        refused: Some("About 10 % of this breaker's calls are stored".to_owned()),
        ..what_if_of("cart")
    };
    let html = render(&frame("/breakers/cart/x/whatif", &[]), "cart", |f| {
        what_if(&refused, f)
    });
    assert!(
        html.contains("Not replayed") && html.contains("About 10 %"),
        "{html}"
    );
    assert!(
        !html.contains("Against what happened") && !html.contains("reproduces"),
        "{html}"
    );
}
