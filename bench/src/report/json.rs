//! All samples as JSON, for programs that want other figures than the table shows.

use anyhow::Result;

use super::Results;

/// The text; readable by people too, a line for each field.
pub(super) fn text(results: &Results) -> Result<String> {
    Ok(serde_json::to_string_pretty(results)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_there_void_ones_with_their_reason() {
        let text = text(&super::super::tests::results()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["rows"][0]["row"], "hit");
        let samples = value["rows"][0]["samples"].as_array().unwrap();
        assert_eq!(samples.len(), 19);
        assert_eq!(samples[0]["values"]["user"], 0.5);
        assert_eq!(samples.iter().filter(|sample| sample["void"] == "a wrong answer").count(), 1);
    }
}
