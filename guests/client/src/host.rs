//! The seams, as the host gives them.

use std::time::Duration;

use bytes::Bytes;
use wargate_client::origin::RegistryUrl;
use wargate_client::seams::{
    Asked, BoxFuture, Clock, Guard, Key, Random, RequestBody, ResponseBody, SecretError, Secrets,
    State, StateError, Token, Transport, TransportError, TransportFault,
};
use wargate_crypto::PrivateKey;
use wargate_protocol::Timestamp;

use crate::bindings::wargate::client::{clock, http, random, state};

/// HTTP.
pub(crate) struct Http;

impl Transport for Http {
    fn send(
        &self,
        request: ::http::Request<RequestBody>,
    ) -> BoxFuture<'_, Result<::http::Response<Box<dyn ResponseBody>>, TransportError>> {
        Box::pin(std::future::ready(send(request)))
    }
}

fn send(
    request: ::http::Request<RequestBody>,
) -> Result<::http::Response<Box<dyn ResponseBody>>, TransportError> {
    let (head, body) = request.into_parts();
    let headers = head.headers.iter().map(|(name, value)| http::Header {
        name: name.as_str().to_owned(),
        value: value.as_bytes().to_vec(),
    });
    let answer = http::send(&http::Request {
        method: head.method.to_string(),
        url: head.uri.to_string(),
        headers: headers.collect(),
        body: collect(body)?,
    });
    let answer = answer.map_err(failure)?;
    let mut response = ::http::Response::builder().status(answer.status());
    for header in answer.headers() {
        response = response.header(header.name, header.value);
    }
    let body: Box<dyn ResponseBody> = Box::new(Body(answer));
    response.body(body).map_err(|error| TransportError {
        fault: TransportFault::Broken,
        message: error.to_string(),
    })
}

fn collect(body: RequestBody) -> Result<Option<Vec<u8>>, TransportError> {
    match body {
        RequestBody::Empty => Ok(None),
        RequestBody::Bytes(bytes) => Ok(Some(bytes.to_vec())),
        RequestBody::Stream { mut chunks, .. } => {
            let mut whole = Vec::new();
            let failed = |error: std::io::Error| TransportError {
                fault: TransportFault::Body,
                message: error.to_string(),
            };
            while let Some(chunk) = chunks.next().map_err(failed)? {
                whole.extend_from_slice(&chunk);
            }
            Ok(Some(whole))
        }
    }
}

struct Body(http::Answer);

impl ResponseBody for Body {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        let chunk = self.0.chunk().map(|chunk| chunk.map(Bytes::from)).map_err(failure);
        Box::pin(std::future::ready(chunk))
    }
}

fn failure(failure: http::Failure) -> TransportError {
    let fault = match failure.fault {
        http::Fault::Connect => TransportFault::Connect,
        http::Fault::Tls => TransportFault::Tls,
        http::Fault::Timeout => TransportFault::Timeout,
        http::Fault::Broken => TransportFault::Broken,
        http::Fault::Body => TransportFault::Body,
        http::Fault::Unsendable => TransportFault::Unsendable,
    };
    TransportError { fault, message: failure.message }
}

/// The state.
pub(crate) struct Values;

impl State for Values {
    fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, StateError> {
        state::read(key.as_str()).map_err(state_error)
    }

    fn write(&self, key: &Key, value: &[u8]) -> Result<(), StateError> {
        state::write(key.as_str(), value).map_err(state_error)
    }

    fn remove(&self, key: &Key) -> Result<(), StateError> {
        state::remove(key.as_str()).map_err(state_error)
    }

    fn list(&self, below: &Key) -> Result<Vec<Key>, StateError> {
        let keys = state::list(below.as_str()).map_err(state_error)?;
        keys.iter().map(|key| Ok(Key::new(key.split('/'))?)).collect()
    }

    fn lock(&self, _key: &Key) -> Result<Box<dyn Guard>, StateError> {
        Ok(Box::new(Alone))
    }
}

/// An instance is alone with its state.
struct Alone;

impl Guard for Alone {}

fn state_error(message: String) -> StateError {
    StateError { message }
}

/// The clock.
pub(crate) struct Time;

impl Clock for Time {
    fn now(&self) -> Timestamp {
        let now = clock::now();
        Timestamp::new(now.seconds, now.nanos)
            .unwrap_or_else(|_| Timestamp::from_seconds(now.seconds))
    }

    fn wait(&self, how_long: Duration) -> BoxFuture<'_, ()> {
        clock::wait(u64::try_from(how_long.as_millis()).unwrap_or(u64::MAX));
        Box::pin(std::future::ready(()))
    }
}

/// Randomness.
pub(crate) struct Chance;

impl Random for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        for (to, from) in bytes.iter_mut().zip(random::bytes(count)) {
            *to = from;
        }
    }
}

/// None: a key comes with each call that signs.
pub(crate) struct NoSecrets;

impl Secrets for NoSecrets {
    fn signing_key(&self, _: &RegistryUrl) -> Result<Option<PrivateKey>, SecretError> {
        Ok(None)
    }

    fn token(&self, _: Asked<'_>) -> Result<Option<Token>, SecretError> {
        Ok(None)
    }
}
