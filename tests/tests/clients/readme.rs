//! The README's "Send your first telemetry" and "The SQL to run next", run as they are printed.
//!
//! Two things are not: the address, which is that of a server of the test, and the line that installs what
//! `cargo xtask clients` has installed already (what it names must be in that language's lock).

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::service::{START_PATIENCE, exactly, place};
use crate::harness::Tripline;

/// What each app logs in the span of its request.
const LINE: &str = "hello from an app";

const PYTHON_APP: &str = r#"import logging

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello():
    logging.getLogger("hello").warning("hello from an app")
    return "hello"
"#;

const NODE_APP: &str = r"const http = require('node:http');
const log = require('pino')();

http.createServer((request, response) => {
  log.warn('hello from an app');
  response.end('hello');
}).listen(process.env.PORT, '127.0.0.1');
";

const JAVA_APP: &str = r#"import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.logging.Logger;

public class YourApp {
    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(System.getenv("PORT"));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.createContext("/", exchange -> {
            Logger.getLogger("hello").warning("hello from an app");
            byte[] body = "hello".getBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
    }
}
"#;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The first block of code after a mark of the README.
fn printed(mark: &str) -> Result<String> {
    let readme = std::fs::read_to_string(repository().join("README.md"))?;
    let (_, after) = readme.split_once(mark).context(mark.to_owned())?;
    let block = after.split("```").nth(1).context("a block of code")?;
    let (_, code) = block.split_once('\n').context("a language and code")?;
    Ok(code.to_owned())
}

/// The snippet of a language, sent to this server.
fn snippet(language: &str, server: &Tripline) -> Result<String> {
    let printed = printed(&format!("\n**{language}**"))?;
    let aimed = printed
        .replace("127.0.0.1:4317", server.otlp_grpc())
        .replace("127.0.0.1:4318", server.otlp_http());
    ensure!(aimed != printed, "no address in {printed}");
    Ok(aimed)
}

/// What a client's lock says, and the rest of a snippet whose first line installs what it names.
fn installed<'a>(
    script: &'a str,
    command: &str,
    lock: &str,
) -> Result<(Vec<&'a str>, &'a str, String)> {
    let (install, run) = script.split_once('\n').context("two lines")?;
    let named = install.strip_prefix(command).context(install.to_owned())?;
    let lock = std::fs::read_to_string(repository().join("tests/clients").join(lock))?;
    Ok((named.split_whitespace().collect(), run, lock))
}

/// An app in a process group of its own: what a shell starts ends with it.
struct App {
    child: Child,
    port: u16,
}

impl App {
    fn start(mut command: Command, directory: &Path) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = command
            .current_dir(directory)
            .env("PORT", port.to_string())
            .env("FLASK_RUN_PORT", port.to_string())
            // What is sent at the latest after five seconds is sent at once.
            .env("OTEL_BSP_SCHEDULE_DELAY", "200")
            .env("OTEL_BLRP_SCHEDULE_DELAY", "200")
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { child, port })
    }

    /// Asks until it answers: one request arrives.
    async fn answers(&mut self, server: &Tripline) -> Result<()> {
        let deadline = Instant::now() + START_PATIENCE;
        let url = format!("http://127.0.0.1:{}/", self.port);
        loop {
            match server.client.get(&url).send().await {
                Ok(response) => {
                    let said = response.text().await?;
                    ensure!(said == "hello", "{said}");
                    return Ok(());
                }
                Err(error) if error.is_connect() => {}
                Err(error) => return Err(error.into()),
            }
            let ended = self.child.try_wait()?;
            ensure!(ended.is_none(), "it ended ({ended:?}); its output is above");
            ensure!(Instant::now() < deadline, "it does not listen");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}

/// The one request an app was asked is one server span.
async fn one_span(server: &Tripline) -> Result<()> {
    let spans = "SELECT count(*) FROM spans WHERE service_name = 'hello' AND kind = 'server'";
    exactly(server, spans, 1).await
}

/// And its log line leads to that span.
async fn one_line(server: &Tripline) -> Result<()> {
    let lines = format!(
        "SELECT count(*) FROM logs JOIN spans USING (trace_id, span_id) \
         WHERE body = '{LINE}' AND logs.service_name = 'hello' AND kind = 'server'"
    );
    exactly(server, &lines, 1).await
}

/// Starts a snippet's app, asks it once and finds what it sent.
async fn check(
    server: &Tripline,
    script: &str,
    path: Option<&Path>,
    directory: &Path,
) -> Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    if let Some(first) = path {
        let others = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(first.to_owned()).chain(std::env::split_paths(&others));
        command.env("PATH", std::env::join_paths(all)?);
    }
    let mut app = App::start(command, directory)?;
    app.answers(server).await?;
    one_span(server).await?;
    one_line(server).await
}

/// A program of the prepared environment; its own script names the place where it was installed.
fn wrapper(directory: &Path, name: &str, runs: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let python = place("python")?.join("venv/bin");
    let script = format!(
        "#!/bin/sh\nexec '{0}/python' {runs} \"$@\"\n",
        python.display()
    );
    let path = directory.join(name);
    std::fs::write(&path, script)?;
    Ok(std::fs::set_permissions(
        &path,
        std::fs::Permissions::from_mode(0o755),
    )?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_s_curl_sends_a_span_and_its_queries_find_it() -> Result<()> {
    let server = Tripline::start().await?;
    let output = Command::new("sh")
        .args(["-c", &snippet("curl", &server)?])
        // A proxy of this machine is none for this machine.
        .env("no_proxy", "*")
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(said.starts_with("HTTP/1.1 200"), "{output:?}");
    one_span(&server).await?;
    let queries = printed("\n## The SQL to run next")?;
    let queries: Vec<&str> = queries
        .split(';')
        .map(str::trim)
        .filter(|query| !query.is_empty())
        .collect();
    ensure!(queries.len() == 3, "{queries:?}");
    for query in &queries {
        server.sql(query).await?;
    }
    let slow = server.sql(queries[0]).await?;
    ensure!(
        slow.len() == 1 && slow[0][0] == "hello" && slow[0][1] == "hi",
        "{slow:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_s_python_runs_as_it_is_printed() -> Result<()> {
    let server = Tripline::start().await?;
    let script = snippet("Python", &server)?;
    let (named, run, lock) = installed(&script, "pip install ", "python/requirements.txt")?;
    for package in named {
        let is_locked = |line: &str| {
            line.split_once("==")
                .is_some_and(|(name, _)| name.eq_ignore_ascii_case(package))
        };
        ensure!(lock.lines().any(is_locked), "{package} is not prepared");
    }
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("your_app.py"), PYTHON_APP)?;
    let instrument = place("python")?.join("venv/bin/opentelemetry-instrument");
    let runs = format!("'{}'", instrument.display());
    wrapper(directory.path(), "opentelemetry-instrument", &runs)?;
    wrapper(directory.path(), "flask", "-m flask")?;
    check(&server, run, Some(directory.path()), directory.path()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_s_node_runs_as_it_is_printed() -> Result<()> {
    let server = Tripline::start().await?;
    let script = snippet("Node", &server)?;
    let (named, run, lock) = installed(&script, "npm install ", "node/package.json")?;
    for package in named {
        ensure!(
            lock.contains(&format!("\"{package}\": ")),
            "{package} is not prepared"
        );
    }
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("your_app.js"), NODE_APP)?;
    let modules = place("node")?.join("node_modules");
    symlink(modules, directory.path().join("node_modules"))?;
    check(&server, run, None, directory.path()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_s_java_runs_as_it_is_printed() -> Result<()> {
    let server = Tripline::start().await?;
    let script = snippet("Java", &server)?;
    let (named, run, lock) = installed(&script, "mvn dependency:copy ", "java/pom.xml")?;
    let artifact = "-Dartifact=io.opentelemetry.javaagent:opentelemetry-javaagent:";
    let version = named
        .iter()
        .find_map(|argument| argument.strip_prefix(artifact))
        .context("the agent")?;
    let locked = format!("<agent.version>{version}</agent.version>");
    ensure!(lock.contains(&locked), "{version} is not prepared");
    let directory = tempfile::tempdir()?;
    let agent = place("java")?.join("target/opentelemetry-javaagent.jar");
    let name = format!("opentelemetry-javaagent-{version}.jar");
    symlink(agent, directory.path().join(name))?;
    std::fs::write(directory.path().join("YourApp.java"), JAVA_APP)?;
    let build =
        "javac YourApp.java && jar --create --file your_app.jar --main-class YourApp *.class";
    let built = Command::new("sh")
        .args(["-c", build])
        .current_dir(directory.path())
        .status()?;
    ensure!(built.success(), "{built}");
    check(&server, run, None, directory.path()).await
}

/// Lines that say something, without their indentation.
fn lines(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_s_go_is_what_is_built_and_runs() -> Result<()> {
    let server = Tripline::start().await?;
    let source = std::fs::read_to_string(repository().join("tests/clients/go/hello/main.go"))?;
    let code = printed("\n**Go**")?;
    let (source, code) = (lines(&source), lines(&code));
    ensure!(
        source.windows(code.len()).any(|part| part == code),
        "no test runs {code:#?}"
    );
    let aimed = snippet("Go", &server)?;
    let (_, variables) = aimed
        .lines()
        .next()
        .and_then(|line| line.split_once("// "))
        .context("the environment")?;
    let directory = tempfile::tempdir()?;
    let mut command = Command::new(place("go")?.join("hello-service"));
    command.envs(
        variables
            .split(' ')
            .filter_map(|variable| variable.split_once('=')),
    );
    let mut app = App::start(command, directory.path())?;
    app.answers(&server).await?;
    one_span(&server).await
}
