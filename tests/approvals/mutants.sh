#!/usr/bin/env bash
# Mutants of the rules of approval: each edit takes one rule away; the play of approvals against its model, or a test of
# its kind, has to fail then. Run by `./dev mutants`. The tree has to be clean there, and is afterwards.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

rules=src/domain/change
runs="${OPSBELL_APPROVAL_RUNS:-4000}"

# Name, file (or two), what is replaced (Perl, over lines), by what; and once more where a rule is asked in two places.
mutants=(
    "segregation of duties is skipped|$rules/approve.rs|if change\.requester\.person\(\) == Some\(person\)|if false"
    "an editor may approve|$rules/approve.rs|if change\.editors\.contains\(person\)|if false"
    "an approval is bound to no hash|$rules/apply.rs|it\.void\.is_none\(\) && it\.hash != edited\.hash|false \&\& it.hash != edited.hash"
    "roles are not read again|$rules/approve.rs|return \(!placed\(scales\.org, change, person\)\)\.then|return false.then|voices\.filter\(.it. need\.approvers\.iter\(\)\.any\(.group. org\.belongs\(it, group\)\)\)\.collect\(\)|voices.collect()"
    "whoever has left counts on|$rules/approve.rs $rules/rules.rs|    if known\.left \{|    if false {|\.filter\(.known. !known\.left\)|"
    "standing in does not end|$rules/authority/delegate.rs|self\.starts <= now && now < self\.ends|true"
    "the delegator may have asked for it|$rules/approve.rs|match bias\(scales\.org, change, other\)|match None::<CompactString>"
    "both voices count|$rules/approve.rs|it\.stands_for\.as_ref\(\)\.unwrap_or\(&it\.person\)\);\n|\&it.person);\n"
    "a code counts twice|$rules/authority/factor.rs|if Some\(step\) > enrolled\.last|if true"
    "codes are guessed on|$rules/authority/factor.rs|if let Some\(until\) = enrolled\.locked\(draft\.now\)|if let Some(until) = None::<Timestamp>"
    "no second factor is asked for|$rules/approve.rs|need\.factor && need\.approvers|false \&\& need.approvers|\(it\.factor .. !need\.factor\)|true"
    "an author reviews their own|$rules/authority/reviewed.rs|stands: told\.says == ReviewSays::Approved && person != author|stands: told.says == ReviewSays::Approved"
    "what was pushed later was reviewed|$rules/authority/reviewed.rs|it\.of\(repository, number\) && it\.head == head\) \{|it.of(repository, number)) {"
    "another commit is the same change|$rules/mod.rs|!lower\.starts_with\(&told\) &&|false \&\&"
    "a review counts for a plan by hand|$rules/authority/reviewed.rs|if !change\.content\.is_only_code\(\)|if false"
    "a model is not demoted|$rules/authority.rs|Step::ModelDemoted \{ model, change, why, \.\. \} => self\.demoted\(stamp\.at, model, \*change, why\)|Step::ModelDemoted { .. } => {}"
)

if [ -n "$(git status --porcelain -- src)" ]; then
    echo "mutants: src/ has changes that are not committed; commit or stash them first" >&2
    exit 1
fi
trap 'git checkout --quiet -- src' EXIT

survived=0
for mutant in "${mutants[@]}"; do
    IFS='|' read -r name file from to more by <<<"$(sed 's/||/\x01/g' <<<"$mutant")"
    [ -z "${1:-}" ] || [[ "$name" == *"$1"* ]] || continue
    from="${from//$'\x01'/||}"
    if ! FROM="$from" TO="$to" MORE="${more:-}" BY="${by:-}" perl -0pi -e 'BEGIN { $f = $ENV{FROM}; $t = $ENV{TO}; $t =~ s/\\n/\n/g; $t =~ s/\\&/&/g; } $n += s/$f/$t/; s/$ENV{MORE}/$ENV{BY}/ if length $ENV{MORE}; END { exit($n ? 0 : 1) }' $file; then
        echo "mutants: \"$name\" does not fit $file any more" >&2
        exit 1
    fi
    if OPSBELL_APPROVAL_RUNS="$runs" cargo test --quiet --test approvals >/tmp/opsbell-mutant.$$ 2>&1; then
        echo "SURVIVED  $name"
        survived=1
    elif grep -q "^error\(\[\|:\) *could not compile\|^error\[E" /tmp/opsbell-mutant.$$; then
        echo "BROKEN    $name: it does not compile"
        grep -m3 "^error" /tmp/opsbell-mutant.$$
        survived=1
    else
        echo "killed    $name: $(grep -m1 -A1 'panicked at' /tmp/opsbell-mutant.$$ | tail -1 | cut -c1-100)"
    fi
    rm -f /tmp/opsbell-mutant.$$
    git checkout --quiet -- src
done
exit $survived
