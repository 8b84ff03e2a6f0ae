//! What stands beside the numbers of a page: those of last week, a service's instances, its sidecars; and what the
//! counts say they count.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::harness::{Tripline, now, text};
use crate::pages::says;

const SECOND: u64 = 1_000_000_000;
const WEEK: u64 = 7 * 86_400 * SECOND;

/// A whole bucket of the roll-ups, two minutes ago.
fn base() -> u64 {
    now() / SECOND / 10 * 10 * SECOND - 120 * SECOND
}

/// Spans of one sender.
fn resource(attributes: &[(&str, &str)], spans: &[Value]) -> Value {
    let attributes: Vec<Value> = attributes
        .iter()
        .map(|(key, value)| text(key, value))
        .collect();
    json!({"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]})
}

async fn send(server: &Tripline, resources: &[Value]) -> Result<()> {
    server
        .send("traces", &json!({"resourceSpans": resources}))
        .await
}

/// A span of call `number`: `step` 1 is the first of its trace, each next one the child of the one before.
fn span(number: u64, step: u64, kind: u8, start: u64, length_ms: u64, is_failed: bool) -> Value {
    let id = |step: u64| format!("{:016x}", number * 16 + step);
    let parent = if step > 1 {
        id(step - 1)
    } else {
        String::new()
    };
    json!({"traceId": format!("{:032x}", number + 1), "spanId": id(step), "parentSpanId": parent, "name": "GET /cart",
        "kind": kind, "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + length_ms * 1_000_000).to_string(),
        "status": {"code": if is_failed { 2 } else { 0 }}})
}

/// Calls from `shop` to `cart`, evenly over a minute; the first `failed` fail.
async fn minute(
    server: &Tripline,
    first: u64,
    calls: u64,
    failed: u64,
    start: u64,
    length_ms: u64,
) -> Result<()> {
    let of = |step: u64, kind: u8| -> Vec<Value> {
        (0..calls)
            .map(|at| {
                let from = start + at * (60 / calls) * SECOND;
                span(first + at, step, kind, from, length_ms, at < failed)
            })
            .collect()
    };
    let shop = resource(&[("service.name", "shop")], &of(1, 3));
    let cart = resource(&[("service.name", "cart")], &of(2, 2));
    send(server, &[shop, cart]).await
}

/// The row of a table that has this in it.
fn row<'a>(html: &'a str, mark: &str) -> Result<&'a str> {
    let at = html
        .find(mark)
        .with_context(|| format!("no {mark}\n{html}"))?;
    let from = html[..at].rfind("<tr").context("a row begins")?;
    let length = html[from..].find("</tr>").context("a row ends")?;
    Ok(&html[from..from + length])
}

#[tokio::test]
async fn numbers_stand_beside_those_of_the_same_time_last_week() -> Result<()> {
    let server = Tripline::start().await?;
    let base = base();
    minute(&server, 0, 60, 0, base, 10).await?;
    minute(&server, 1_000, 30, 3, base - WEEK, 20).await?;
    let range = |start: u64| format!("from={start}&to={}", start + 60 * SECOND);
    let here = range(base);

    // Twice as many calls, none of them failed, half as long.
    let told = ["+100 %, was 0.5/s", "was 10 %", "−50 %, was 20.8 ms"];
    let overview = says(
        &server,
        &format!("/?{here}&compare=week"),
        &[
            "Compared with the same time last week",
            "vs last week",
            "/graph?compare=week",
        ],
    )
    .await?;
    let cart = row(&overview, "/services/cart?")?;
    for words in told {
        assert!(cart.contains(words), "{words}\n{cart}");
    }
    let service = says(
        &server,
        &format!("/services/cart?{here}&compare=week"),
        &told,
    )
    .await?;
    assert_eq!(service.matches("line older").count(), 3, "{service}");
    assert!(service.contains("p95 last week"), "{service}");
    let graph = says(
        &server,
        &format!("/graph?{here}&compare=week"),
        &["Compared with the same time last week"],
    )
    .await?;
    let calls = graph.split("id=\"calls\"").nth(1).context("a table")?;
    assert!(
        row(calls, "</i>cart</a>")?.contains("+100 %, was 0.5/s"),
        "{calls}"
    );
    assert!(!graph.contains("but not now"), "{graph}");
    // A minute later nobody calls, and what was called a week before is named.
    minute(&server, 2_000, 30, 3, base - WEEK + 60 * SECOND, 20).await?;
    let gone = says(
        &server,
        &format!("/graph?{}&compare=week", range(base + 60 * SECOND)),
        &[
            "Called last week, but not now",
            "1 edge, busiest then first",
        ],
    )
    .await?;
    let gone = row(&gone, "</i>cart</a>")?;
    for words in [">30<", "0.5/s", "10 %"] {
        assert!(gone.contains(words), "{words}\n{gone}");
    }

    // Nothing of it unless it is asked for.
    let (_, plain) = server.get_text(&format!("/?{here}")).await?;
    assert!(
        plain.contains("compare=week") && !plain.contains("class=\"was\""),
        "{plain}"
    );
    // Of the day before yesterday's last week there is nothing: that is said, on each page.
    let empty = range(base - 2 * 86_400 * SECOND);
    for page in ["/", "/services/cart", "/graph"] {
        says(
            &server,
            &format!("{page}?{empty}&compare=week"),
            &["No data last week"],
        )
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_service_has_its_instances_each_counted_once() -> Result<()> {
    let server = Tripline::start().await?;
    let base = base();
    let of = |id: &str, first: u64, calls: u64, failed: u64| {
        let spans: Vec<Value> = (0..calls)
            .map(|at| span(first + at, 1, 2, base + at * SECOND, 10, at < failed))
            .collect();
        resource(
            &[
                ("service.name", "cart"),
                ("service.version", "1.4.2"),
                ("service.instance.id", id),
                ("k8s.pod.name", &format!("pod-of-{id}")),
            ],
            &spans,
        )
    };
    let first = of("cart-1", 0, 30, 3);
    send(&server, &[first.clone(), of("<b>cart-2</b>", 100, 20, 0)]).await?;
    let nameless: Vec<Value> = (0..5)
        .map(|at| span(200 + at, 1, 2, base + at * SECOND, 10, false))
        .collect();
    send(&server, &[resource(&[("service.name", "cart")], &nameless)]).await?;
    // What a client that heard no answer sends again.
    send(&server, &[first]).await?;

    let html = says(
        &server,
        "/services/cart",
        &[
            "Instances",
            "pod-of-cart-1",
            "q=instance%20%3D%20cart-1",
            "&lt;b&gt;cart-2&lt;/b&gt;",
            "q=instance%20absent",
            "counted from its server and consumer spans that are stored",
            "2 instances, busiest first",
        ],
    )
    .await?;
    let busiest = row(&html, "pod-of-cart-1")?;
    for words in ["1.4.2", ">30<", "10 %"] {
        assert!(busiest.contains(words), "{words}\n{busiest}");
    }
    assert!(row(&html, "q=instance%20absent")?.contains(">5<"), "{html}");
    // The link finds its traces, and only those.
    says(
        &server,
        "/traces?service=cart&q=instance%20%3D%20cart-1",
        &["30 traces, newest first"],
    )
    .await?;
    // The range holds for them too.
    let narrow = format!("/services/cart?from={base}&to={}", base + 10 * SECOND);
    let html = says(&server, &narrow, &["pod-of-cart-1"]).await?;
    assert!(row(&html, "pod-of-cart-1")?.contains(">10<"), "{html}");
    // Later one of them was silent: the figure is of the range as the list is.
    let late = format!(
        "/services/cart?from={}&to={}",
        base + 20 * SECOND,
        base + 30 * SECOND
    );
    let figure = "Instances</span><span class=\"figure-value\">1</span>";
    says(&server, &late, &["1 instance, busiest first", figure]).await?;
    // 55 calls; the figure of what is stored has the 30 that came again.
    says(&server, "/", &["85", "counted again", "55 calls in range"]).await?;
    Ok(())
}

#[tokio::test]
async fn sidecars_are_folded_unless_they_are_asked_for() -> Result<()> {
    let server = Tripline::start().await?;
    let base = base();
    let of = |step: u64, kind: u8, calls: u64, is_sidecar: bool| -> Vec<Value> {
        (0..calls)
            .map(|at| {
                let mut span = span(at, step, kind, base + at * SECOND, 10, false);
                if is_sidecar {
                    span["attributes"] = json!([
                        text("component", "proxy"),
                        text("node_id", "sidecar~10.0.0.1~pod~mesh")
                    ]);
                }
                span
            })
            .collect()
    };
    // front calls back, through the sidecars of both; back's sends under a name of its own.
    send(
        &server,
        &[
            resource(&[("service.name", "front")], &of(1, 2, 20, false)),
            resource(&[("service.name", "front")], &of(2, 3, 20, false)),
            resource(&[("service.name", "front")], &of(3, 3, 20, true)),
            resource(&[("service.name", "back.mesh")], &of(4, 2, 20, true)),
            resource(&[("service.name", "back")], &of(5, 2, 20, false)),
        ],
    )
    .await?;
    let table = |html: &str| -> Result<String> {
        let rest = html.split("id=\"services\"").nth(1).context("services")?;
        Ok(rest.split("</table>").next().unwrap_or(rest).to_owned())
    };
    let folded = says(
        &server,
        "/",
        &[
            "2 sidecars are folded into their services: ",
            "/?proxies=show",
            "2 services, most failures first",
        ],
    )
    .await?;
    assert!(!table(&folded)?.contains("back.mesh"), "{folded}");
    let shown = says(
        &server,
        "/?proxies=show",
        &[
            "2 sidecars are shown beside their services: ",
            "3 services, most failures first",
            "/graph?proxies=show",
        ],
    )
    .await?;
    let shown = table(&shown)?;
    assert!(shown.contains("its sidecar, calls sent on"), "{shown}");
    assert!(
        row(&shown, "back.mesh")?.contains("sidecar of back"),
        "{shown}"
    );
    says(
        &server,
        "/services/front?proxies=show",
        &["Sidecar: rate", "calls its sidecar sent on"],
    )
    .await?;
    says(
        &server,
        "/services/back.mesh",
        &["All of these spans are a sidecar's"],
    )
    .await?;
    // One call, whoever is shown.
    for (path, has_box) in [("/graph", false), ("/graph?proxies=show", true)] {
        let html = says(&server, path, &["sidecars are", "front → back: 20 passed"]).await?;
        assert_eq!(
            html.contains("the sidecar of back"),
            has_box,
            "{path}\n{html}"
        );
        let calls = html.split("id=\"calls\"").nth(1).context("a table")?;
        let (calls, mesh) = calls.split_once("id=\"mesh\"").unwrap_or((calls, ""));
        assert_eq!(
            calls.matches("<tr").count(),
            2,
            "a heading and one call\n{calls}"
        );
        // The mesh's own count, beside it and only when asked for.
        assert_eq!(
            mesh.matches("<tr").count(),
            if has_box { 2 } else { 0 },
            "{mesh}"
        );
        assert_eq!(
            mesh.contains("<td>front</td><td>back</td><td class=\"quiet\">the caller's sidecar"),
            has_box,
            "{mesh}"
        );
    }
    // Two traces are compared as they are shown: both with the spans of proxies, or both without.
    let (one, another) = (1_u64, 2_u64);
    let compared = format!("/traces/{one:032x}?view=compare&with={another:032x}");
    says(&server, &compared, &["3 of 3 operations"]).await?;
    let html = says(
        &server,
        &format!("{compared}&sidecars=hide"),
        &["2 of 2 operations"],
    )
    .await?;
    assert!(!html.contains("only in the other"), "{html}");
    Ok(())
}

#[tokio::test]
async fn counts_say_what_they_count_and_since_when() -> Result<()> {
    let server = Tripline::start().await?;
    let spans = vec![span(1, 1, 2, base(), 10, false)];
    send(&server, &[resource(&[("service.name", "alone")], &spans)]).await?;
    says(
        &server,
        "/",
        &[
            "1 service, most failures first",
            "1 call in range",
            "accepted and refused since the server started",
        ],
    )
    .await?;
    says(&server, "/traces", &["1 trace, newest first", ">1 span<"]).await?;
    Ok(())
}

#[tokio::test]
async fn the_editor_knows_the_documented_schema() -> Result<()> {
    let server = Tripline::start().await?;
    let html = says(
        &server,
        "/sql?q=SELECT+1+%3C+2",
        &[
            "aria-autocomplete=\"list\"",
            "aria-controls=\"offers\"",
            "role=\"listbox\"",
            "SELECT 1 &lt; 2",
            "1 row in ",
        ],
    )
    .await?;
    // With the island go the relations and columns of the schema browser beside it: nobody is asked while one types.
    let island = html
        .split("<leptos-island")
        .find(|island| island.contains("SqlEditor"))
        .context("an island")?;
    let properties = island.split('>').next().unwrap_or_default();
    for name in [
        "breaker_transitions",
        "severity_number",
        "duration_histogram",
    ] {
        assert!(properties.contains(name), "{name}\n{properties}");
    }
    Ok(())
}
