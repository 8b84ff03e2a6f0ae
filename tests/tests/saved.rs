//! Saved views over real ports: people's by a form, programs' by the API.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::dashboard::encoded;
use crate::harness::{PATIENCE, Tripline};
use crate::pages::says;

#[tokio::test]
async fn a_view_is_saved_by_an_explicit_post_and_survives_a_restart() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let start = || crate::harness::Start::default().data_dir(dir.path());
    let server = start().start().await?;
    let address = format!("http://{}", server.http());
    let form = |name: &str, path: &str| {
        let body = format!("name={}&path={}", encoded(name), encoded(path));
        server
            .client
            .post(format!("{address}/views"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    };
    let (name, path) = ("slow <carts>", "/traces?q=duration+%3E+1s");
    assert_eq!(
        form(name, path)
            .header("origin", "http://evil.example")
            .send()
            .await?
            .status(),
        403
    );
    assert_eq!(form("x", "//evil.example").send().await?.status(), 400);
    let saved = form(name, path).send().await?;
    assert_eq!(saved.status(), 200, "redirected to the page and shown");
    drop(server);
    let deadline = std::time::Instant::now() + PATIENCE;
    let server = loop {
        match start().start().await {
            Ok(server) => break server,
            Err(error) => ensure!(std::time::Instant::now() < deadline, "{error:#}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    };
    let html = says(&server, "/", &["slow &lt;carts&gt;", "/views/1"]).await?;
    assert!(!html.contains("slow <carts>"));
    says(&server, "/views/1", &["duration &gt; 1s"]).await?;
    let address = format!("http://{}", server.http());
    assert_eq!(
        server
            .client
            .post(format!("{address}/views/1/delete"))
            .send()
            .await?
            .status(),
        200
    );
    assert_eq!(server.get_text("/views/1").await?.0, 404);
    Ok(())
}

#[tokio::test]
async fn programs_save_views_and_the_editor_lists_the_queries_among_them() -> Result<()> {
    let server = Tripline::start().await?;
    let address = format!("http://{}/api/v1/views", server.http());
    let query = json!({"name": "every span", "path": "/sql?q=SELECT+count(*)+FROM+spans"});
    let response = server.client.post(&address).json(&query).send().await?;
    assert_eq!(response.status(), 201);
    let saved: Value = response.json().await?;
    let id = saved["id"].as_u64().unwrap_or_default();
    let other = json!({"name": "errors", "path": "/logs?severity=error"});
    assert_eq!(
        server
            .client
            .post(&address)
            .json(&other)
            .send()
            .await?
            .status(),
        201
    );
    let list = server.get("/api/v1/views").await?;
    let names: Vec<&str> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|view| view["name"].as_str())
        .collect();
    assert_eq!(names, ["errors", "every span"]);
    assert_eq!(server.get(&format!("/api/v1/views/{id}")).await?, saved);
    let delete = format!("/views/{id}/delete");
    let html = says(&server, "/sql", &["Saved queries", "every span", &delete]).await?;
    let (_, queries) = html.split_once("Saved queries").unwrap_or_default();
    let (queries, _) = queries.split_once("</section>").unwrap_or_default();
    assert!(
        queries.contains("every span") && !queries.contains("errors"),
        "{queries}"
    );

    for (wrong, parameter) in [
        (json!({"name": "", "path": "/"}), "name"),
        (
            json!({"name": "x", "path": "https://evil.example/"}),
            "path",
        ),
        (json!({"name": "x"}), "body"),
        (json!({"name": "x", "path": "/", "more": 1}), "body"),
    ] {
        let response = server.client.post(&address).json(&wrong).send().await?;
        assert_eq!(response.status(), 400, "{wrong}");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        let problem: Value = response.json().await?;
        assert_eq!(problem["parameter"], parameter, "{problem}");
    }
    let foreign = server.client.delete(format!("{address}/{id}"));
    let foreign = foreign
        .header("origin", "http://evil.example")
        .send()
        .await?;
    assert_eq!(foreign.status(), 403);
    for status in [204, 404] {
        let response = server
            .client
            .delete(format!("{address}/{id}"))
            .send()
            .await?;
        assert_eq!(response.status().as_u16(), status);
    }
    Ok(())
}
