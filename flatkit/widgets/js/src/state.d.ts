// The state of each widget, as Python sends it. Written by tools/widget_types.py from the TypedDicts there.

/** A request. `answer`: yes or no is wanted; `minutes`: the times of a look to choose from; `end`: it can be ended. */
export interface AskState {
  ident: string;
  text: string;
  minutes: number[];
  answer: boolean;
  end: boolean;
}

/** A hint of the trainer. `change`: a config of theirs, as a difference to the learner's `file`; nothing is written. */
export interface TrainerHintState {
  number: number;
  text: string;
  file: string;
  change: string;
}

/** A cell of a notebook in this notebook's folder: its address from here, and the `path` from the server's root. */
export interface LinkState {
  words: string;
  address: string;
  path: string;
  fragment: string;
}

/** The flag for the page. `said`: what came of it; `room`: what all seats see; `offer`: ask whether help is wanted.

    `link`: the cell that `room` leads to, where that notebook is here.
    `hints` are those for this card, `elsewhere` the task of a newer one for another card.
    `asks` are the trainer's requests.
     */
export interface FlagState {
  flag: "none" | "help" | "done";
  word: string;
  said: string;
  room: string;
  link: LinkState | null;
  offer: boolean;
  hints: TrainerHintState[];
  elsewhere: string;
  asks: AskState[];
}

/** The part of a card's state that the flag needs; None where no board was joined. */
export interface FlaggedState {
  flag: FlagState | null;
}

/** A row for the page. */
export interface FactState {
  name: string;
  value: string;
}

/** An address on this host, and where it leads. */
export interface UrlState {
  address: string;
  about: string;
}

/** A phase of a boot. `begins` counts from the boot's start, `seconds` is its length so far, `usual` the usual one.

    `about` is shown on request, once it is over; `usual` is 0 when it is unknown.
     */
export interface PhaseState {
  key: string;
  title: string;
  mark: string;
  begins: number;
  seconds: number;
  usual: number;
  ok: boolean;
  open: boolean;
  note: string;
  about: string;
}

/** The panel for the page. */
export interface PanelState {
  name: string;
  state: string;
  mark: string;
  headline: string;
  badge: string;
  busy: boolean;
  urls: UrlState[];
  said: string[];
  error: string;
  hint: string;
  verbs: string[];
  facts: FactState[];
  phases: PhaseState[];
}

/** A slot for the page. */
export interface SlotState {
  label: string;
  version: string;
  priority: number;
  tries: number;
  successful: boolean;
  running: boolean;
  next: boolean;
  state: string;
}

/** A layer of `/usr` for the page. `refused` is the reason why it is not merged. */
export interface LayerState {
  name: string;
  merged: boolean;
  builtIn: boolean;
  masked: boolean;
  refused: string;
}

/** A look for the page. */
export interface InsideState {
  version: string;
  story: string;
  doing: string;
  progress: number | null;
  verity: string;
  trouble: string;
  added: string[];
  removed: string[];
  slots: SlotState[];
  layers: LayerState[];
}

/** The state of the page. `tab` is the open tab. */
export interface MachineCardState {
  name: string;
  state: string;
  mark: string;
  headline: string;
  badge: string;
  busy: boolean;
  urls: UrlState[];
  said: string[];
  error: string;
  hint: string;
  verbs: string[];
  facts: FactState[];
  phases: PhaseState[];
  flag: FlagState | null;
  inside: InsideState | null;
  usage: FactState[];
  console: string[];
  tab: string;
}

/** A partition for the page. `written` marks the one that the config fills. */
export interface DiskPartState {
  label: string;
  size: string;
  role: string;
  written: boolean;
}

/** A machine of the channels' picture: the channel that it follows, the version that it runs, and how it is. */
export interface RolloutState {
  name: string;
  group: string;
  version: string;
  state: string;
}

/** The picture for the page. `kind` is slots, layers, channels or disk; `story` is the picture in one sentence. */
export interface PictureState {
  kind: string;
  story: string;
  inside: InsideState | null;
  offers: string[][];
  machines: RolloutState[];
  parts: DiskPartState[];
}

/** A step for the page. `doing` is what a running one does now; `share` is the part that is usually over by then.

    `move` is what can be done at it: "rewind" to before it, "jump" to it, or "".
     */
export interface StepState {
  number: number;
  title: string;
  why: string;
  prompt: string;
  command: string;
  state: string;
  mark: string;
  output: string;
  found: string;
  hint: string;
  seconds: number;
  doing: string;
  share: number | null;
  move: string;
}

/** A demo for the page. `last` is the step that was played last, 0 without one; `picture` is what was changed.

    `again` and `skip` say whether these can be asked for now.
     */
export interface PlayerState {
  name: string;
  title: string;
  verdict: string;
  kind: string;
  banner: string;
  over: boolean;
  working: boolean;
  running: boolean;
  recordable: boolean;
  again: boolean;
  skip: boolean;
  last: number;
  picture: PictureState | null;
  steps: StepState[];
}

/** A step of the solution that was done for the learner. */
export interface DoneState {
  line: string;
  output: string;
}

/** A line to put in order. */
export interface LineState {
  piece: number;
  text: string;
}

/** A hint: words; a config with gaps in `code`; or the lines of `file`, with those that are `placed`, in order. */
export interface HintState {
  kind: "words" | "gaps" | "lines";
  text: string;
  code: string;
  file: string;
  lines: LineState[];
  placed: LineState[];
  said: string;
  right: boolean;
}

/** An exercise for the page. `left`: the number of hints not shown yet; `files`: the learner's files for it. */
export interface ExerciseState {
  flag: FlagState | null;
  kind: "exercise";
  name: string;
  title: string;
  state: string;
  mark: string;
  task: string;
  files: string[];
  found: string;
  hints: HintState[];
  left: number;
  done: DoneState[];
  notes: string[];
  working: boolean;
}

/** A prediction for the page. `seen`: what happens was shown, and the guess stays. */
export interface PredictionState {
  flag: FlagState | null;
  kind: "prediction";
  name: string;
  title: string;
  state: string;
  mark: string;
  ask: string;
  choices: string[];
  chosen: number | null;
  seen: boolean;
  right: boolean;
  comparison: string[];
  note: string;
}

/** A question for the page. `said` is the verdict on the chosen answer. */
export interface QuestionState {
  ask: string;
  choices: string[];
  chosen: number | null;
  right: boolean;
  said: string;
}

/** A quiz for the page. */
export interface QuizState {
  flag: FlagState | null;
  kind: "quiz";
  name: string;
  title: string;
  state: string;
  mark: string;
  questions: QuestionState[];
}

/** The server's sessions and their commands; the console's is named SESSION_console. `gone`: no machine any more.

    `look`: the learner lets the trainer see the screen now.
     */
export interface TerminalState {
  machine: string;
  session: string;
  argv: string[];
  consoleArgv: string[];
  gone: boolean;
  look: boolean;
}

/** A channel and the version that it offers. */
export interface OfferState {
  channel: string;
  version: string;
}

/** A machine as the update server saw it last. */
export interface SeenState {
  name: string;
  follows: string;
  version: string;
  state: string;
  seen: string;
}

/** Both tables for the page. `url` is the address of this notebook's server, "" without one. */
export interface ChannelsState {
  url: string;
  offers: OfferState[];
  machines: SeenState[];
}

/** A platform of the list. */
export interface ChoiceState {
  name: string;
  label: string;
}

/** A text to copy. `verified`: it was tried on that platform. */
export interface PieceState {
  title: string;
  text: string;
  verified: boolean;
}

/** The list of platforms, and the hand-over to the chosen one. */
export interface PlatformsState {
  headline: string;
  choices: ChoiceState[];
  chosen: string;
  title: string;
  how: string;
  verdict: string;
  kind: string;
  first: string;
  pieces: PieceState[];
  notes: string[];
}

/** A key of the schema. `struct` is the type of its mapping, `list` whether it takes a list of them. */
export interface KeyState {
  type: string;
  doc: string;
  default: string;
  choices: string[];
  struct: string;
  list: boolean;
}

/** A version of the schema: struct, key, and what is known about the key. */
export interface VersionState {
  reference: string;
  structs: Record<string, Record<string, KeyState>>;
}

/** The state that a page starts with. `place` is the file's path, `edition` the number of the text. */
export interface EditorState {
  name: string;
  place: string;
  text: string;
  edition: number;
  schema: Record<string, VersionState>;
}

/** A place in the text, all from 1, columns in characters, the end exclusive. */
export interface SpanState {
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
}

/** A suggested edit. */
export interface EditState {
  span: SpanState;
  text: string;
  label: string;
}

/** The reason behind an entry ("" if none is known), with the title and address of a page to read on. */
export interface ReasonState {
  why: string;
  page: string;
  link: string;
}

/** An entry of the report. `teach` may have more lines: an example, as it is written. */
export interface EntryState {
  kind: "error" | "warning" | "info";
  message: string;
  teach: string;
  reason: ReasonState;
  path: string;
  span: SpanState | null;
  edits: EditState[];
}

/** The report on an edit. `start` and `solution` say whether the lesson has them. */
export interface CheckedMessage {
  kind: "checked";
  page: string;
  seq: number;
  edition: number;
  ok: boolean;
  note: string;
  conflict: boolean;
  report: EntryState[];
  start: boolean;
  solution: boolean;
  ignition: string;
}

/** A sentence of the explanation. */
export interface SentenceState {
  text: string;
  reason: string;
  line: number | null;
}

/** The sentences of a phase of the first boot. */
export interface GroupState {
  title: string;
  sentences: SentenceState[];
}

/** A line of a difference: the mark is "+", "-", " ", or "…" where equal lines are left out. */
export interface DiffRow {
  mark: string;
  text: string;
}

/** Values that only one tab needs. */
export interface MoreState {
  explain?: GroupState[];
  gets?: string[];
  start?: DiffRow[];
  solution?: DiffRow[];
}

/** The Ignition of an edit; without `json` when the text has faults. */
export interface BecameMessage {
  kind: "became";
  page: string;
  seq: number;
  more: MoreState;
  json: string;
  origins: [number, [number, number, number, number] | null, string, boolean][];
}

/** Another text for a page, or for all of them with page "". */
export interface ReplaceMessage {
  kind: "replace";
  page: string;
  text: string;
  edition: number;
}

/** The other files of the folder. */
export interface OthersMessage {
  kind: "others";
  page: string;
  names: string[];
}

/** The text of another file, to be put in as the user's own edit. */
export interface TakeMessage {
  kind: "take";
  page: string;
  name: string;
  text: string;
}

/** A sentence for the user. */
export interface SaidMessage {
  kind: "said";
  page: string;
  ok: boolean;
  text: string;
}

export type EditorMessage = CheckedMessage | BecameMessage | ReplaceMessage | OthersMessage | TakeMessage | SaidMessage;
