//! Answers that come from elsewhere than the registry, or lead there.

use super::{Nginx, call, run_in_any_case, serve};

/// What the log of nginx, or the registry, must not see: a POST that has become a GET.
const CODES: [u16; 5] = [301, 302, 303, 307, 308];

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_has_moved_is_named_by_its_new_url_and_nothing_is_started() {
    let (server, _database) = serve().await;
    let moved = CODES.map(|code| {
        let target = &server.url;
        format!("location ~ ^/{code}/(.*)$ {{ return {code} {target}/$1$is_args$args; }} ")
    });
    let nginx = Nginx::start("", &moved.concat());
    for code in CODES {
        let old = format!("http://localhost:{}/{code}", nginx.port);
        let expected = format!("the registry at {old} is at {0} now; set PERFREG_URL={0}\n", server.url);
        let (exit_code, printed, said) = run_in_any_case(&old, &[]);
        assert_eq!((exit_code, printed.as_str()), (78, ""), "{said}");
        assert!(said.ends_with(&expected) && !said.contains("trying again"), "{said}");
        for arguments in [&["status"][..], &["history", "--limit", "5"], &["locations"], &["events", "--follow"]] {
            let (exit_code, _, said) = call(&[arguments, &["--server", &old]].concat(), &[]);
            assert_eq!((exit_code, said), (78, format!("perfreg: {expected}")), "{arguments:?}");
        }
    }
    let history = server.http().get("/history").await.json();
    assert_eq!(history["executions"], serde_json::json!([]), "nothing was registered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_a_login_says_that_a_header_may_be_asked_for() {
    let directives = "location / { return 302 https://login.example.com/sign-in?to=$request_uri&state=s3cret; }";
    let nginx = Nginx::start("", directives);
    let (code, printed, said) = run_in_any_case(&nginx.url("http"), &[]);
    assert_eq!((code, printed.as_str()), (78, ""), "{said}");
    assert!(said.contains("redirects to https://login.example.com/sign-in and"), "{said}");
    assert!(said.contains("--header") && said.contains("PERFREG_URL") && !said.contains("s3cret"), "{said}");
}

#[test]
fn a_redirect_to_itself_is_told_from_a_move_and_a_login() {
    let nginx = Nginx::start("", "location / { return 308 $scheme://$http_host$request_uri; }");
    let url = nginx.url("http");
    let (code, printed, said) = run_in_any_case(&url, &[]);
    assert_eq!((code, printed.as_str()), (78, ""), "{said}");
    let circle = format!("redirects the call to {url}/register, which is the same call again; correct that redirect");
    assert!(said.contains(&circle) && !said.contains("--header"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_url_of_the_registry_is_named_with_the_variable_to_set() {
    let (server, _database) = serve().await;
    let nginx = Nginx::start(
        "",
        &format!(
            "location /page/ {{ default_type text/html; return 200 '<title>Welcome to the shop</title>'; }}
             location /json/ {{ default_type application/json; return 200 '{{\"shop\": 1}}'; }}
             location /prefix/ {{ proxy_pass {}/; }} location /away/ {{ return 502; }} location /busy/ {{ return 429; }}",
            server.url
        ),
    );
    let below = |path: &str| format!("http://localhost:{}/{path}/", nginx.port);
    let tls = server.url.replace("http://", "https://");
    for (url, expected_code, words) in [
        (format!("{}/api/", server.url), 78, "the registry has nothing at /api/board, so"),
        (below("prefix/api"), 78, "the registry has nothing at /prefix/api/board, so"),
        (below("page"), 69, "is not a registry: it sends no JSON, but a page: Welcome to the shop"),
        (below("json"), 69, "is not a registry: missing field"),
        (below("nothing"), 69, "is not a registry: it says 404 Not Found"),
        (tls, 78, "does not speak TLS; if it speaks plain HTTP, set PERFREG_URL=http://"),
    ] {
        let (code, _, said) = call(&["status", "--server", &url], &[]);
        assert!(code == expected_code && said.contains(words), "exit code {code}: {said}");
        assert!(said.contains(url.trim_end_matches('/')) && said.contains("PERFREG_URL"), "{said}");
    }
    for (path, words) in [("away", "502 Bad Gateway"), ("busy", "429 Too Many Requests")] {
        let (code, _, said) = call(&["status", "--server", &below(path)], &[]);
        let expected = format!("cannot reach the registry at {}: what stands before it says {words}", below(path));
        assert!(code == 69 && said.contains(&expected), "exit code {code}: {said}");
    }
    let (code, printed, _) = call(&["status", "--server", &below("prefix")], &[]);
    assert_eq!((code, printed.as_str()), (0, "Nothing is running.\n"));
}

#[test]
fn a_port_that_speaks_tls_is_found_out_through_http() {
    let authority = super::Authority::new();
    authority.sign("server", "localhost", "30");
    let [pem, key] = ["server.pem", "server.key"].map(|name| authority.path(name));
    let nginx = Nginx::start("ssl", &format!("ssl_certificate {pem}; ssl_certificate_key {key};"));
    let go = Nginx::start("", "location / { return 400 'Client sent an HTTP request to an HTTPS server.'; }");
    for url in [nginx.url("http"), go.url("http")] {
        let (code, _, said) = call(&["status", "--server", &url], &[]);
        let advice = format!("set PERFREG_URL={}\n", url.replace("http", "https"));
        assert!(code == 78 && said.ends_with(&advice), "exit code {code}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_called_by_another_name_says_which_flag_it_needs() {
    let (server, _database) = serve().await;
    let nginx = Nginx::start(
        "",
        &format!("location / {{ proxy_set_header Host perf-box:$server_port; proxy_pass {}; }}", server.url),
    );
    let url = nginx.url("http");
    let (code, printed, said) = run_in_any_case(&url, &[]);
    assert_eq!((code, printed.as_str()), (78, ""), "{said}");
    let expected = format!(
        "the registry at {url} says: The server does not answer to the name perf-box; call it by its address, or start it \
         with --allowed-host perf-box"
    );
    assert!(said.contains(&expected), "{said}");
    let (code, _, said) = call(&["status", "--server", &url], &[]);
    assert_eq!((code, said), (78, format!("perfreg: {expected}\n")));
}
