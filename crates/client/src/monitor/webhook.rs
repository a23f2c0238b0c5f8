//! Telling somebody over HTTP.

use std::collections::VecDeque;

use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;
use wargate_api::headers::JSON;

use super::MonitorEvent;
use crate::client::Client;
use crate::error::Error;
use crate::remote::{Exchange, Outgoing, Retry};

/// Most events that wait to be told.
const WAITING_MAX: usize = 100;

/// Posts events as JSON to a URL of the user's own choice. What cannot be told waits for the next time,
/// in order; if too much waits, the oldest goes that is no alarm.
pub struct Webhook {
    exchange: Exchange,
    url: Url,
    waiting: VecDeque<MonitorEvent>,
}

impl Webhook {
    /// A webhook at this URL, `http` or `https`.
    ///
    /// # Errors
    /// [`Error::Usage`] for what is no such URL.
    pub fn new(client: &Client, url: &str) -> Result<Self, Error> {
        let wrong = |reason: &dyn std::fmt::Display| {
            Error::Usage(format!("the webhook's URL cannot be used: {reason}"))
        };
        let url: Url = url.parse().map_err(|error| wrong(&error))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong(&"it is neither http nor https"));
        }
        Ok(Self { exchange: client.exchange(), url, waiting: VecDeque::new() })
    }

    /// Tells events, after those that wait. Those that only say that nothing has changed are not told.
    ///
    /// # Errors
    /// The first failure. What was not told waits.
    pub async fn tell(&mut self, events: &[MonitorEvent]) -> Result<(), Error> {
        for event in events.iter().filter(|event| !event.what.is_quiet()) {
            if self.waiting.len() >= WAITING_MAX {
                let is_lesser = |event: &MonitorEvent| !event.what.is_alarm();
                let lesser = self.waiting.iter().position(is_lesser).unwrap_or(0);
                self.waiting.remove(lesser);
            }
            self.waiting.push_back(event.clone());
        }
        while let Some(event) = self.waiting.front() {
            self.post(event).await?;
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// How many events wait to be told.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    async fn post(&self, event: &MonitorEvent) -> Result<(), Error> {
        let body = serde_json::to_vec(event)
            .map_err(|error| Error::Usage(format!("the event is no JSON: {error}")))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        let (method, url) = (Method::POST, self.url.clone());
        let request = Outgoing { method, url, headers, body: Some(body.into()) };
        let mut retry = Retry::new(self.exchange.attempts);
        loop {
            let error = match self.exchange.send(request.clone()).await {
                Ok(answer) if answer.status.is_success() => return Ok(()),
                Ok(answer) => Error::Unavailable {
                    registry: event.registry.clone(),
                    status: answer.status.as_u16(),
                    message: "the webhook does not take the event".into(),
                    retry_after: None,
                },
                Err(error) => error.of(&event.registry, "the webhook's answer"),
            };
            if !retry.again(&self.exchange, &error).await {
                return Err(error);
            }
        }
    }
}
