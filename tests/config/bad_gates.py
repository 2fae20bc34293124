"""Gates that are refused: what is written, the key, what is wrong with it, and the fix."""

BAD_GATES = [
    ("{http: 'ftp://x/'}", "check[1].http", "not a URL", "https://"),
    ("{http: 'https://'}", "check[1].http", "not a URL", "https://"),
    ("{http: 'https://x/#top'}", "check[1].http", "not a URL", "https://"),
    ("{http: 'https://x:99999/'}", "check[1].http", "not a URL", "https://"),
    ("{http: 'https://kim:secret@x/'}", "check[1].http", "a password in it", "delete"),
    ("{http: 'https://{vm_name}/'}", "check[1].http", "not supported yet", "whole wave"),
    ("{http: 'http://169.254.169.254/metadata'}", "check[1].http", "no gate may", "Gates"),
    ("{http: 'https://x/', expect: 99}", "check[1].expect", "less than 100", "at least 100"),
    ("{http: 'https://x/', for: 5}", "check[1].for", "a duration needs a unit", "5m"),
    ("{http: 'https://x/', fro: 5m}", "check[1].fro", "unknown key", "`for`"),
    ("{tcp: x}", "check[1].tcp", "not supported yet", "delete"),
    ("{}", "check[1]", "not exactly one of http and prometheus", "keep one"),
    ("{prometheus: {url: 'http://p/', query: up}}", "check[1].prometheus.expect", "missing", "add"),
    (
        "{prometheus: {url: 'http://p/', query: up, expect: 1}}",
        "check[1].prometheus.expect",
        "not a bound",
        "< 0.01",
    ),
    (
        "{prometheus: {url: 'http://p/', query: up, expect: '~ 1'}}",
        "check[1].prometheus.expect",
        "bound",
        "< 0.01",
    ),
    (
        "{prometheus: {url: 'http://p/?q=1', query: up, expect: '> 1'}}",
        "check[1].prometheus.url",
        "with a query",
        "put",
    ),
]
