"""What every member promises before he takes his seat (EXP-22, EXP-31; 87-62, 66): the words, and their digest.

The record of a sign-in names the digest, so that anybody can tell later which words were promised. Words that change
get a new text here; the old one stays in the history of this file.
"""

from __future__ import annotations

from typing import Final

from trading.kernel.digests import sha256_hex

PROMISE_ZH: Final = (
    "我是本席位的本人；评审期间上交通讯工具，不与外界联系，不离开评审场所；不与他人商量主观评分，"
    "不抄录、不带走评审资料，不泄露评审情况；接受全程录音录像。"
)
PROMISE_EN: Final = (
    "I am the person of this seat. During the evaluation I hand in my phone, contact nobody outside and do not leave; "
    "I do not confer about subjective scores, copy or take away documents, or tell anybody about the evaluation; "
    "I accept that sound and pictures are recorded."
)
PROMISE_SHA256: Final = sha256_hex(f"{PROMISE_ZH}\n{PROMISE_EN}\n".encode())
