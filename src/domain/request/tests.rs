//! What requests come to, where no story tells it.

use crate::domain::delivery::{Content, Judged};
use crate::domain::id::{ChangeId, ServiceRequestId};

#[test]
fn what_asks_for_an_approval_is_kept_as_it_always_was() {
    for (kept, about) in [
        (r#"{"ask":{"text":"agree?","change":"CHG-7"}}"#, Judged::Change(ChangeId(7))),
        (r#"{"ask":{"text":"agree?","request":"REQ-7"}}"#, Judged::Request(ServiceRequestId(7))),
    ] {
        let content: Content = serde_json::from_str(kept).expect("it reads");
        assert_eq!(content, Content::Ask { text: "agree?".to_owned(), about });
        assert_eq!(serde_json::to_string(&content).expect("it is written"), kept);
    }
}
