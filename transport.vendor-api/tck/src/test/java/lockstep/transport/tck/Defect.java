package lockstep.transport.tck;

import java.util.Set;

/** What is wrong with a {@link SampleTransport}, and which checks find it: these and no others. */
enum Defect {
    NONE,
    KEEPS_THE_BUFFER("theBufferMayBeReusedOnceSendHasReturned"),
    MOVES_THE_BUFFER(
            "messagesOfAllSizesArriveWholeAndInOrderBothWays",
            "everyKindOfMessageArrivesAsItWasSentBothWays",
            "theLongestMessageArrivesBothWays",
            "theSendersBufferIsLeftAsItWas",
            "theBufferMayBeReusedOnceSendHasReturned",
            "bulkDataArrivesInFullAndItsThroughputIsPrinted"),
    SWALLOWS_WHAT_IS_TOO_LONG("aMessageBeyondItsBoundIsRefusedAndTheSessionGoesOn"),
    LOSES_EMPTY_MESSAGES("messagesOfAllSizesArriveWholeAndInOrderBothWays", "anEmptyPieceOfWalIsAMessageToo"),
    SWAPS_MESSAGES(
            "aBurstOfSmallMessagesArrivesInOrder",
            "lostBytesAreNeverPassedOver",
            "bytesThatComeTwiceAreNotDeliveredTwice"),
    NEVER_ENDS_A_BATCH("everyBatchOfMessagesIsEnded"),
    HANDS_OUT_ANOTHER_SESSION(
            "aHandlerMayAnswerAtOnce",
            "aHandlerMayCloseItsSessionAndHearsNoMoreMessages",
            "pushedBackManyTimesASenderIsToldEachTime",
            "bulkDataArrivesInFullAndItsThroughputIsPrinted",
            "theHandlerIsGivenTheSessionThatItsMessagesCameOn"),
    NEVER_PUSHES_BACK(
            "aHandlerThatBlocksPushesBackToTheClient",
            "aHandlerThatBlocksPushesBackToTheServer",
            "aHandlerThatBlocksStopsOnlyItsOwnSession",
            "aSmallMessageMayBeSentAtAnyTime",
            "sendReturnsAtOnceWhileThePeerTakesNothing",
            "aPeerThatTakesNothingDoesNotHoldUpClosing",
            "aPeerThatFallsSilentPushesBackAndLosesNothing",
            "aPeerThatFallsSilentDoesNotHoldUpClosing",
            "aPeerThatFallsSilentDoesNotHoldUpWithdrawal"),
    TELLS_WRITABLE_WITHOUT_NEED("writableIsNotToldOfASessionThatAlwaysWas"),
    HAS_ONE_THREAD_FOR_ALL("aHandlerThatBlocksStopsOnlyItsOwnSession"),
    STAYS_WRITABLE_WHEN_CLOSED("aClosedSessionIgnoresWhatIsSent"),
    DELIVERS_AFTER_CLOSE(
            "aPeerThatFallsSilentDoesNotHoldUpClosing",
            "aPeerThatFallsSilentDoesNotHoldUpWithdrawal",
            "aHandlerMayCloseItsSessionAndHearsNoMoreMessages"),
    SWALLOWS_EXCEPTIONS("aHandlerThatThrowsLosesItsSessionAndNoOther"),
    FORGETS_THE_CAUSE(
            "theFirstCauseCounts",
            "theServerMayCloseToo",
            "aHandlerMayCloseItsSessionAndHearsNoMoreMessages",
            "closingWhatHasEndedDoesNothing",
            "anAcceptorRefusesWithAMessage",
            "aPeerThatTakesNothingDoesNotHoldUpClosing",
            "manyThreadsMayCloseAndTheHandlerHearsItOnce",
            "aHandlerThatThrowsLosesItsSessionAndNoOther",
            "aPeerThatFallsSilentDoesNotHoldUpClosing",
            "aPeerThatFallsSilentDoesNotHoldUpWithdrawal",
            "withdrawalOfTheListeningSideEndsItsSessionsBeforeItReturns",
            "withdrawalOfTheConnectingSideEndsItsSessionsBeforeItReturns",
            "theNextTransportListensWhereAWithdrawnOneDid",
            "withdrawalUnderLoadEndsSessionsAtOnceWithItsCause"),
    LEAVES_THE_PEER_NAMELESS("bothPeersAreNamedForTheLifeOfTheSession"),
    CLAIMS_AN_IDENTITY("bothPeersAreNamedForTheLifeOfTheSession", "thePeerIsKnownToTheAcceptor"),
    LETS_TWO_LISTEN("whoListensWhereSomebodyListensIsToldWhere", "withdrawalLeavesNoThreadDescriptorOrDirectMemory"),
    LETS_IN_AFTER_CLOSE("aClosedListenerLetsNobodyIn", "whereAListenerWasAnotherCanBe"),
    ENDS_SESSIONS_WITH_THE_LISTENER(
            "aClosedListenerKeepsItsSessions",
            "whereAListenerWasAnotherCanBe",
            "withdrawalOfTheListeningSideEndsItsSessionsBeforeItReturns",
            "withdrawalUnderLoadEndsSessionsAtOnceWithItsCause",
            "aPeerThatFallsSilentDoesNotHoldUpWithdrawal"),
    NAMES_NO_ENDPOINT_IN_ERRORS("whoFindsNobodyIsToldWhereAndHearsNothingMore"),
    TAKES_ANY_SCHEME("anEndpointOfAnotherTransportIsRefusedByName"),
    OPENS_WHEN_WITHDRAWN("afterWithdrawalNothingCanBeOpened", "whoConnectsDuringWithdrawalIsRefusedOrClosed"),
    TRUSTS_BYTES("aFlippedBitIsNeverDelivered"),
    TRUSTS_THE_ORDER("lostBytesAreNeverPassedOver", "bytesThatComeTwiceAreNotDeliveredTwice"),
    LEAKS_THREADS("withdrawalLeavesNoThreadDescriptorOrDirectMemory"),
    LEAKS_DESCRIPTORS("withdrawalLeavesNoThreadDescriptorOrDirectMemory"),
    LEAKS_DIRECT_MEMORY("withdrawalLeavesNoThreadDescriptorOrDirectMemory");

    @SuppressWarnings("ImmutableEnumChecker") // Set.of is
    private final Set<String> found;

    Defect(String... found) {
        this.found = Set.of(found);
    }

    /** Returns the names of the checks that fail. */
    Set<String> found() {
        return found;
    }
}
