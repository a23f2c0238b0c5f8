//! An HTTP component for the tests of `warg serve`. The path says what it does.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam,
    Scheme,
};
use wasip2::io::streams::StreamError;

struct Guest;

wasip2::http::proxy::export!(Guest);

/// How many requests this instance has had.
static mut COUNT: u32 = 0;

impl wasip2::exports::http::incoming_handler::Guest for Guest {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        // SAFETY: an instance has one thread.
        let count = unsafe {
            COUNT += 1;
            COUNT
        };
        let path = request.path_with_query().unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        match path {
            "/count" => answer(out, 200, count.to_string().as_bytes()),
            "/environment" => {
                let all = wasip2::cli::environment::get_environment();
                answer(out, 200, format!("{all:?}").as_bytes());
            }
            "/echo" => match body(&request) {
                Ok(bytes) => answer(out, 200, &bytes),
                Err(()) => answer(out, 400, b"the body could not be read"),
            },
            "/teapot" => answer(out, 418, b"short and stout"),
            "/trap" => std::process::abort(),
            "/loop" => loop {
                std::hint::spin_loop();
            },
            "/silence" => {}
            "/half" => half(out),
            "/memory" => {
                let mut kept: Vec<Vec<u8>> = Vec::new();
                for _ in 0..query.parse().unwrap_or(1) {
                    kept.push(vec![1; 1 << 20]);
                }
                answer(out, 200, kept.len().to_string().as_bytes());
            }
            "/fetch" => match fetch(query) {
                Ok(status) => answer(out, 200, status.to_string().as_bytes()),
                Err(error) => answer(out, 502, error.as_bytes()),
            },
            "/say" => {
                println!("said on stdout");
                eprintln!("said on stderr");
                answer(out, 200, b"said");
            }
            _ => {
                let method = match request.method() {
                    Method::Get => "GET".to_owned(),
                    Method::Post => "POST".to_owned(),
                    other => format!("{other:?}"),
                };
                answer(out, 200, format!("{method} {path}").as_bytes());
            }
        }
    }
}

fn answer(out: ResponseOutparam, status: u16, bytes: &[u8]) {
    let response = OutgoingResponse::new(Fields::new());
    response.set_status_code(status).unwrap();
    let body = response.body().unwrap();
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().unwrap();
    for part in bytes.chunks(4096) {
        if stream.blocking_write_and_flush(part).is_err() {
            return;
        }
    }
    drop(stream);
    OutgoingBody::finish(body, None).unwrap();
}

/// Begins an answer, and traps.
fn half(out: ResponseOutparam) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().unwrap();
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().unwrap();
    stream.blocking_write_and_flush(b"the first half").unwrap();
    std::process::abort();
}

fn body(request: &IncomingRequest) -> Result<Vec<u8>, ()> {
    let body = request.consume()?;
    let stream = body.stream()?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(65_536) {
            Ok(part) => bytes.extend(part),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(_) => return Err(()),
        }
    }
}

/// Asks `http://AUTHORITY/`; the status.
fn fetch(authority: &str) -> Result<u16, String> {
    let request = OutgoingRequest::new(Fields::new());
    let is_set = request
        .set_scheme(Some(&Scheme::Http))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some("/")));
    is_set.map_err(|()| "this is no authority".to_owned())?;
    let answer = outgoing_handler::handle(request, None).map_err(|error| format!("{error:?}"))?;
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(response))) => Ok(response.status()),
        Some(Ok(Err(error))) => Err(format!("{error:?}")),
        _ => Err("there is no answer".to_owned()),
    }
}
