"""What a purchase would earn if a fact of it were another one. Writes nothing."""

from rewards.models import Settlement
from rewards.program.editions import compiled
from rewards.program.facts import Facts
from rewards.program.receipts import Receipt
from rewards.program.reproduction import why_nothing
from rewards.program.trials import Uses, try_rules
from rewards.sampling import uses
from rewards.settling.evaluations import uses_of


def suppose(
    settlement: Settlement, facts: Facts, *, account_rewards: bool | None
) -> Receipt:
    """The receipt under the evaluation's own edition, of these facts instead of its.

    Limits stand as they did then; of rules that didn't match then, as if nobody had
    used them.
    """
    note = why_nothing(settlement, facts, account_rewards=account_rewards)
    if note or settlement.edition_id is None:
        return Receipt(facts=facts, note=note)
    program = compiled(settlement.edition_id)
    unused: Uses = {
        rule.spec.key: list(uses(rule.spec.limits, 0))
        for rule in program.rules
        if rule.limited
    }
    known = {**unused, **uses_of(settlement)}
    return Receipt(facts=facts, trial=try_rules(program, facts, uses=known))
