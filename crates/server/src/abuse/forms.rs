//! How rates, sizes and quotas are written.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use wargate_registry::throttle::Rate;
use wargate_registry::usage::Quota;

/// `100/s`, `100/s:1000` with a burst, `64MiB/s:4GiB`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateForm(pub(crate) Option<Rate>);

/// `packages=10,releases=100,bytes=1GiB`, each of them or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QuotaForm(pub(crate) Quota);

/// So many in so many seconds, with a burst.
pub(super) fn rate(tokens: u64, seconds: u64, burst: u64) -> Rate {
    Rate::new(tokens, Duration::from_secs(seconds), burst)
}

impl FromStr for RateForm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "off" {
            return Ok(Self(None));
        }
        let wrong = || format!("{text:?} is no rate; write 100/s, 100/s:1000 with a burst, or off");
        let (tokens, rest) = text.split_once('/').with_context(wrong)?;
        let (unit, burst) = rest.split_once(':').unwrap_or((rest, tokens));
        let seconds = match unit {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            "day" => 86_400,
            _ => bail!(wrong()),
        };
        let number = |text: &str| size(text).filter(|number| *number > 0).with_context(wrong);
        Ok(Self(Some(rate(number(tokens)?, seconds, number(burst)?))))
    }
}

impl FromStr for QuotaForm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut quota = Quota::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let wrong =
                || format!("{part:?} is no quota; write packages=10, releases=100 or bytes=1GiB");
            let (name, value) = part.split_once('=').with_context(wrong)?;
            let value = size(value).with_context(wrong)?;
            *match name {
                "packages" => &mut quota.packages,
                "releases" => &mut quota.releases,
                "bytes" => &mut quota.bytes,
                _ => bail!(wrong()),
            } = Some(value);
        }
        Ok(Self(quota))
    }
}

/// A number, perhaps with a unit of bytes.
fn size(text: &str) -> Option<u64> {
    const UNITS: &[(&str, u64)] = &[
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("", 1),
    ];
    UNITS.iter().find_map(|(unit, bytes)| {
        let digits = text.trim().strip_suffix(unit)?;
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(*bytes)
    })
}

impl<'de> Deserialize<'de> for RateForm {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for QuotaForm {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        /// A text as on the command line, or a table.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Table(Table),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            packages: Option<u64>,
            releases: Option<u64>,
            bytes: Option<Size>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Size {
            Number(u64),
            Text(String),
        }
        match Form::deserialize(from)? {
            Form::Text(text) => text.parse().map_err(D::Error::custom),
            Form::Table(Table { packages, releases, bytes }) => {
                let bytes = match bytes {
                    None => None,
                    Some(Size::Number(bytes)) => Some(bytes),
                    Some(Size::Text(text)) => {
                        let wrong = || D::Error::custom(format!("{text:?} is no number of bytes"));
                        Some(size(&text).ok_or_else(wrong)?)
                    }
                };
                Ok(Self(Quota { packages, releases, bytes }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_nonsense_is_not() {
        let read = |text: &str| text.parse::<RateForm>().unwrap().0;
        assert_eq!(read("off"), None);
        assert_eq!(read("5/s"), Some(rate(5, 1, 5)));
        assert_eq!(read("5/min:50"), Some(rate(5, 60, 50)));
        assert_eq!(read("64MiB/s:4GiB"), Some(rate(64 << 20, 1, 4 << 30)));
        for text in ["", "5", "/s", "0/s", "5/s:", "5/s:0", "-1/s", "5/week", "99999999TiB/s"] {
            assert!(text.parse::<RateForm>().is_err(), "{text}");
        }
    }

    #[test]
    fn quotas_are_read_and_nonsense_is_not() {
        let QuotaForm(quota) = "packages=0, bytes=2kB".parse().unwrap();
        assert_eq!((quota.packages, quota.releases, quota.bytes), (Some(0), None, Some(2000)));
        for text in ["packages", "packages=", "packages=x", "pages=1", "bytes=-1"] {
            assert!(text.parse::<QuotaForm>().is_err(), "{text}");
        }
    }
}
