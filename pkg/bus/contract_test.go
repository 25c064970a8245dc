package bus

import (
	"testing"
)

// The contract holds on the embedded broker and on Apache Kafka alike.
var contract = []struct {
	name string
	test func(t *testing.T, broker string)
}{
	{"MissingTopicsAreCreated", missingTopicsAreCreated},
	{"RecordArrivesWhole", recordArrivesWhole},
	{"KeyKeepsItsOrderUnderConcurrency", keyKeepsItsOrderUnderConcurrency},
	{"NewGroupBeginsAtTheOldest", newGroupBeginsAtTheOldest},
	{"WhatIsNotAckedComesAgain", whatIsNotAckedComesAgain},
	{"RefusedComesAgainBeforeItsKeyGoesOn", refusedComesAgainBeforeItsKeyGoesOn},
	{"PoisonIsPutAsideAndThePartitionMovesOn", poisonIsPutAside},
	{"UnreadableHeadersArePutAside", unreadableHeadersArePutAside},
	{"UnansweredComesAgain", unansweredComesAgain},
	{"AcksAfterTheLossOfAPartitionDoNotCount", acksAfterLossDoNotCount},
	{"GroupChangesWithoutLoss", groupChangesWithoutLoss},
	{"FlushWaitsForWhatWasTaken", flushWaits},
	{"RunWritesWhatItHasBeforeItEnds", runWritesBeforeItEnds},
	{"LagIsWhatIsNotSettled", lagIsWhatIsNotSettled},
	{"HandlerIsNotOverwhelmed", inFlightIsBounded},
	{"HandlerThatBlocksIsToldToLetGo", blockedHandlerLetsGo},
}

func TestContractOnEmbeddedKafka(t *testing.T) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) { c.test(t, embedded(t).ListenAddrs()[0]) })
	}
}

func TestContractOnApacheKafka(t *testing.T) {
	broker, wanted := realKafka(t)
	if !wanted {
		return
	}
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) { c.test(t, broker) })
	}
	t.Run("WhoDiesWhileItJoinsIsReplaced", func(t *testing.T) { diedJoining(t, broker) })
}
