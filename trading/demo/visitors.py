"""Whose part a visitor of the demonstration can take, and ten things to try."""

from __future__ import annotations

from typing import Final

from trading.accounts.service.demonstration import Part

#: One account a role; the expert that sits is added by the play, because the draw chooses it.
PARTS: Final = (
    Part(
        login="drafter",
        title_zh="采购代理机构经办人",
        title_en="Drafter of the agency",
        note_zh="编制项目，答复提问，确定中标人，起草合同",
        note_en="drafts procedures, answers questions, determines awards, drafts contracts",
    ),
    Part(
        login="reviewer",
        title_zh="采购代理机构复核人",
        title_en="Reviewer of the agency",
        note_zh="由第二人复核、签署和发布",
        note_en="the second person: reviews, signs, publishes",
    ),
    Part(
        login="representative",
        title_zh="采购人代表",
        title_en="Representative of the buyer",
        note_zh="作为采购人代表参加评标",
        note_en="sits in the committee for the buyer",
    ),
    Part(
        login="qinghe",
        title_zh="投标人（清河课桌椅）",
        title_en="Bidder (Qinghe School Furniture)",
        note_zh="查看自己的投标、回执、得分和未中标原因",
        note_en="sees its own bids, receipts, scores and why it did not win",
    ),
    Part(
        login="notary-custodian",
        title_zh="保管方（公证处）",
        title_en="Custodian (notary)",
        note_zh="查看自己的保管程序做过什么、在等什么",
        note_en="sees what its agent did and what waits",
    ),
    Part(
        login="supervisor",
        title_zh="监督部门（财政局）",
        title_en="Supervisor (finance bureau)",
        note_zh="时限灯、实时日志，签署开标令和抽取文件",
        note_en="time-limit lamps, the log as it grows, orders and draws to sign",
    ),
    Part(
        login="auditor",
        title_zh="审计员",
        title_en="Auditor",
        note_zh="下载证据包，运行全量核验",
        note_en="downloads bundles, runs a full verification",
    ),
    Part(
        login="centre",
        title_zh="交易中心工作人员",
        title_en="Staff of the trading centre",
        note_zh="主持专家抽取，只看到数量，看不到姓名",
        note_en="runs draws; sees numbers and never names",
    ),
    Part(
        login="desk1",
        title_zh="服务台",
        title_en="Service desk",
        note_zh="登记单位、账号和密钥，都要两人办理",
        note_en="registers organisations, accounts and keys, always two people",
    ),
    Part(
        login="admin",
        title_zh="系统运维",
        title_en="Operator",
        note_zh="查看待办和失败任务；看不到任何密封内容",
        note_en="sees what waits and fails; nothing sealed",
    ),
)


def expert_part(login: str) -> Part:
    """Return the part of one expert that sits in the committee."""
    return Part(
        login=login,
        title_zh="评审专家",
        title_en="Evaluation expert",
        note_zh="查看自己的席位、评分表和评标报告",
        note_en="sees the own seat, score sheet and the report",
    )


THINGS_TO_TRY: Final = (
    (
        "看结果公告：价格、得分、专家名单、每一步的日志证明",
        "read the result notice: prices, scores, experts, a log proof for each step",
    ),
    ("打开“开标大厅”，看每份报价如何在同一刻开启", "open the opening hall: every price opened at one moment"),
    ("在“抽取验证”页重算专家抽取", "recompute the draw of the experts on its page"),
    ("以投标人身份查看回执和自己的得分", "as the bidder: receipts, own scores and reasons"),
    (
        "以经办人身份新建项目：试一个早于法定期限的截止时间",
        "as the drafter: try a deadline earlier than the law allows",
    ),
    ("以监督部门身份查看时限灯和实时日志", "as the supervisor: lamps of time limits and the log as it grows"),
    ("以审计员身份运行全量核验", "as the auditor: run a full verification"),
    ("以专家身份查看评分表和评标报告", "as the expert: the score sheet and the report"),
    ("订阅 /feed.atom，下载 OCDS 开放数据", "subscribe to /feed.atom, download the OCDS releases"),
    ("用下面的命令篡改一行数据，再让核验把它找出来", "change a row with the command below, and let the audit find it"),
)
