//! What an hour of a device costs: `[cost]` of `run.toml`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::raw::RawCost;
use super::{SettingsError, bounds};
use crate::wording::one_line;

/// Letters of a currency at most.
const MAX_LETTERS: usize = 8;
const CURRENCY: &str = "must be 1 to 8 letters or signs, such as EUR";

/// What an hour of one device costs. It decides nothing of what comes out: the same run may cost anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevicePrice {
    /// The price of an hour, in the currency.
    pub per_device_hour: f64,
    /// The currency, as it is shown behind an amount.
    pub currency: String,
}

impl DevicePrice {
    pub(super) fn from_raw(raw: RawCost) -> Result<Option<Self>, SettingsError> {
        bounds::PER_DEVICE_HOUR.check_given(raw.per_device_hour)?;
        let missing = |field, other| {
            let expected = format!("must be set as {other} is");
            Err(SettingsError::value(field, "absent", expected))
        };
        let price = match (raw.per_device_hour, raw.currency) {
            (None, None) => return Ok(None),
            (Some(_), None) => return missing("cost.currency", "cost.per_device_hour"),
            (None, Some(_)) => return missing("cost.per_device_hour", "cost.currency"),
            (Some(per_device_hour), Some(currency)) => Self {
                per_device_hour,
                currency,
            },
        };
        price.check()?;
        Ok(Some(price))
    }

    /// Returns whether it can be a price.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub fn check(&self) -> Result<(), SettingsError> {
        bounds::PER_DEVICE_HOUR.check(self.per_device_hour)?;
        let length = self.currency.chars().count();
        let is_seen = one_line(&self.currency) == self.currency
            && !self.currency.contains(char::is_whitespace);
        if !(1..=MAX_LETTERS).contains(&length) || !is_seen {
            let given = format!("{:?}", self.currency);
            return Err(SettingsError::value("cost.currency", given, CURRENCY));
        }
        Ok(())
    }

    /// Returns what some hours of one device cost.
    #[must_use]
    pub fn of(&self, device_hours: f64) -> Amount<'_> {
        Amount {
            amount: self.per_device_hour * device_hours,
            currency: &self.currency,
        }
    }
}

/// An amount of money, displayed with two decimals: `30.75 EUR`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amount<'a> {
    amount: f64,
    currency: &'a str,
}

impl fmt::Display for Amount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} {}", self.amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str) -> Result<Option<DevicePrice>, String> {
        let raw: RawCost = toml::from_str(toml).unwrap();
        DevicePrice::from_raw(raw).map_err(|error| error.to_string())
    }

    #[test]
    fn hours_cost_what_the_settings_say() {
        let price = check("per_device_hour = 2.5\ncurrency = \"EUR\"").unwrap();
        assert_eq!(price.unwrap().of(12.3).to_string(), "30.75 EUR");
        assert_eq!(check("").unwrap(), None);
    }

    #[test]
    fn a_price_without_a_currency_and_one_that_is_none_are_refused_by_their_keys() {
        for (toml, expected) in [
            (
                "per_device_hour = 2.5",
                "cost.currency (absent) must be set as cost.per_device_hour is",
            ),
            (
                "currency = \"EUR\"",
                "cost.per_device_hour (absent) must be set as cost.currency is",
            ),
            (
                "per_device_hour = -1\ncurrency = \"EUR\"",
                "cost.per_device_hour (-1) must be 0 to 1000000",
            ),
            (
                "per_device_hour = 2.5\ncurrency = \"E U\"",
                "cost.currency (\"E U\") must be 1 to 8 letters",
            ),
            (
                "per_device_hour = 2.5\ncurrency = \"RUE\\u202e\"",
                "cost.currency (\"RUE\\u{202e}\") must be 1 to 8 letters",
            ),
            (
                "per_device_hour = 2.5\ncurrency = \"E\\u200bUR\"",
                "cost.currency (\"E\\u{200b}UR\") must be 1 to 8 letters",
            ),
            (
                "per_device_hour = 2.5\ncurrency = \"\"",
                "cost.currency (\"\") must be",
            ),
        ] {
            let told = check(toml).unwrap_err();
            assert!(told.starts_with(expected), "{toml}: {told}");
        }
    }
}
