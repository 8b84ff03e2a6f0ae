//! What an address cannot mean is told where it stands, with the status of the API: never taken for the default.

use anyhow::{Context as _, Result, ensure};

use super::{SECOND, call, send_spans};
use crate::dashboard::{encoded, plant};
use crate::harness::{Tripline, now};
use crate::pages::{TRACE, says, seed};

#[tokio::test]
async fn a_parameter_that_says_what_it_cannot_is_an_error_on_every_page() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    says(&server, "/", &["checkout"]).await?;
    let trace = format!("/traces/{TRACE}");
    let trace = trace.as_str();
    for (page, name, wrong, fine) in [
        ("/", "compare", "month", "week"),
        ("/", "sort", "bogus", "rate"),
        ("/services/checkout", "proxies", "yes", "show"),
        ("/graph", "top", "bogus", "20"),
        ("/graph", "zoom", "huge", "fit"),
        ("/graph", "at", "soon", "now"),
        (trace, "span", "zz", "0515810000000003"),
        (trace, "view", "fire", "flame"),
        (trace, "row", "-1", "0"),
        (trace, "sidecars", "gone", "hide"),
        ("/traces", "limit", "0", "5"),
        ("/logs", "view", "flame", "patterns"),
        ("/logs", "severity", "loud", "warn"),
        ("/explore", "view", "pie", "heatmap"),
        ("/sql", "as", "pie", "chart"),
        ("/breakers", "tab", "reviews", "review"),
    ] {
        let (status, html) = server.get_text(&format!("{page}?{name}={wrong}")).await?;
        ensure!(
            status == 400 && html.contains(&format!("`{name}`")),
            "{page}?{name}={wrong}: {status}\n{html}"
        );
        let (status, html) = server.get_text(&format!("{page}?{name}={fine}")).await?;
        ensure!(status == 200, "{page}?{name}={fine}: {status}\n{html}");
    }
    // The links of an error lead on without what is wrong.
    for (asked, words, back) in [
        (
            "/graph?top=bogus&compare=week",
            "Without `top`",
            "compare=week",
        ),
        (
            "/graph?from=yesterday&top=20",
            "With the default range",
            "top=20",
        ),
        ("/graph?at=soon&top=20", "Without `at`", "top=20"),
    ] {
        let (_, html) = server.get_text(asked).await?;
        let (before, _) = html
            .split_once(&format!(">{words}</a>"))
            .with_context(|| format!("{asked}\n{html}"))?;
        let (_, link) = before.rsplit_once("<a ").context("a link")?;
        ensure!(
            link.contains(&format!("href=\"/graph?{back}\"")),
            "{asked}: {link}"
        );
    }
    let (_, html) = server.get_text("/graph?top=bogus&compare=week").await?;
    ensure!(!html.contains("top=bogus"), "{html}");
    Ok(())
}

#[tokio::test]
async fn a_regular_expression_that_the_engine_refuses_is_told_with_its_column() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    // What reads a filter knows this; RE2, which runs it, does not.
    let filter = "service = checkout AND name ~ \"(?x)charge\"";
    let column = 1 + filter.find("\"(?x)").context("a column")?;
    for list in ["traces", "logs"] {
        let address = format!("/api/v1/{list}?q={}", encoded(filter));
        let (status, text) = server.get_text(&address).await?;
        let problem: serde_json::Value = serde_json::from_str(&text)?;
        ensure!(
            status == 400 && problem["column"] == column && problem["filter"] == filter,
            "{problem}"
        );
    }
    for page in ["/traces", "/logs", "/explore"] {
        let filter = filter.replace("service = checkout", "service = queue-up");
        let (status, html) = server
            .get_text(&format!("{page}?q={}", encoded(&filter)))
            .await?;
        let column = 1 + filter.find("\"(?x)").context("a column")?;
        let mark = format!("\n{}\u{25b2}", " ".repeat(column - 1));
        ensure!(
            status == 400 && html.contains(&format!("column {column}: ")) && html.contains(&mark),
            "{page}: {status}\n{html}"
        );
        // The box to mend it in is there.
        ensure!(html.contains("filter-bar"), "{page}\n{html}");
    }
    Ok(())
}

#[tokio::test]
async fn the_page_of_a_query_that_fails_has_the_status_of_the_api() -> Result<()> {
    let server = Tripline::start().await?;
    for (sql, expected, words) in [
        ("SELEC 1", 400, "SELEC"),
        ("SELECT nothing FROM spans", 422, "nothing"),
        ("DROP TABLE spans", 422, "The query is not allowed"),
        ("SELECT 1 + 1 AS two", 200, "two"),
    ] {
        let (status, html) = server.get_text(&format!("/sql?q={}", encoded(sql))).await?;
        ensure!(
            status == expected && html.contains(words),
            "{sql}: {status}\n{html}"
        );
        let answer = server
            .client
            .post(format!("http://{}/api/v1/sql", server.http()))
            .json(&serde_json::json!({ "query": sql }))
            .send()
            .await?;
        assert_eq!(answer.status().as_u16(), expected, "{sql}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_leads_to_what_is() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    plant(&server).await?;
    says(&server, "/", &["checkout", "cart"]).await?;
    let html = says(
        &server,
        "/services/nosuch",
        &[
            "No service called nosuch sent anything in this range.",
            "Seen in this range",
            "href=\"/services/checkout\"",
            "href=\"/services/cart?environment=canary\"",
        ],
    )
    .await?;
    ensure!(html.contains("<h1>"), "{html}");
    ensure!(!html.contains("Last seen"), "{html}");
    // In a scope those of the scope alone are offered.
    let html = says(
        &server,
        "/services/checkout?environment=canary",
        &[
            "No service called checkout sent anything in this range and scope.",
            "href=\"/services/cart?environment=canary\"",
        ],
    )
    .await?;
    ensure!(!html.contains("/services/payment"), "{html}");
    let (status, html) = server.get_text("/nosuch").await?;
    ensure!(
        status == 404
            && html.contains("<h1>Not found</h1>")
            && html.contains("There is no page at /nosuch")
            && html.contains("To the overview</a>"),
        "{status}\n{html}"
    );
    for path in ["/services/%ff", "/incidents/%ff", "/views/first"] {
        let (status, html) = server.get_text(path).await?;
        ensure!(
            status == 400
                && html.contains(&format!("The address {path} names nothing"))
                && html.contains("To the overview</a>"),
            "{path}: {status}\n{html}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_trace_of_clocks_that_disagree_says_whose_and_by_how_much() -> Result<()> {
    let server = Tripline::start().await?;
    let start = now() - 30 * SECOND;
    let mut charge = call(1, "charge", start + 10_000_000, 100, false);
    charge["kind"] = serde_json::json!(3);
    let mut answer = call(1, "POST /charge", start, 40, false);
    answer["spanId"] = serde_json::json!("00000000000000aa");
    answer["parentSpanId"] = charge["spanId"].clone();
    send_spans(&server, &[("service.name", "shop")], &[charge]).await?;
    send_spans(&server, &[("service.name", "pay")], &[answer]).await?;
    let page = format!("/traces/{:032x}", 2);
    let told = "The clock of pay is at least 10 ms behind that of shop: a span of it begins before the span that called it.";
    says(&server, &page, &["POST /charge", told]).await?;
    seed(&server).await?;
    let html = says(&server, &format!("/traces/{TRACE}"), &["charge"]).await?;
    ensure!(!html.contains("The clock of"), "{html}");
    Ok(())
}

#[tokio::test]
async fn a_name_that_nothing_has_is_said_with_the_way_back() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    says(&server, "/", &["checkout"]).await?;
    for (page, name, word) in [
        ("/traces", "service", "service"),
        ("/traces", "name", "operation"),
        ("/logs", "service", "service"),
        ("/explore", "service", "service"),
        ("/graph", "service", "service"),
        ("/", "environment", "environment"),
        ("/breakers", "cluster", "cluster"),
        ("/incidents", "service_namespace", "namespace"),
    ] {
        let asked = format!("{page}?from=now-2h&to=now&{name}=nosuch");
        let told = format!("Only the {word} named nosuch was looked at.");
        let back = format!("<a href=\"{page}?from=now-2h&amp;to=now\">Any {word}</a>");
        says(&server, &asked, &[&told, &back]).await?;
        let known = format!("{page}?from=now-2h&to=now");
        let html = says(&server, &known, &["</main>"]).await?;
        ensure!(!html.contains("was looked at"), "{known}\n{html}");
    }
    let missed = "Nothing here is named nosuch.";
    let html = says(&server, "/graph?find=checkout", &["class=\"node"]).await?;
    ensure!(!html.contains("Nothing here is named"), "{html}");
    says(
        &server,
        "/graph?find=nosuch",
        &[missed, ">Find no name</a>"],
    )
    .await?;
    Ok(())
}
