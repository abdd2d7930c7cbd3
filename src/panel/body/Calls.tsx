import { useMemo } from 'react';
import type { CallLog } from '../model/callLog';
import { callsOf } from '../model/callVerdict';
import { type Failing, failingOf, inTreeOrder, nextFailing } from '../model/failing';
import { type Found, found, isEmpty, tallyOf } from '../model/filter';
import type { Group } from '../model/group';
import { groupParts } from '../model/groupPart';
import { listed } from '../model/groups';
import { layersOf } from '../model/layers';
import { type ModuleNode, moduleTree } from '../model/moduleTree';
import { wayTo } from '../model/treeRows';
import { BrowseBar } from './BrowseBar';
import { CallList } from './CallList';
import { useReading } from './context';
import { ModelTree } from './ModelTree';
import { Section } from './Section';
import { ShownCall } from './ShownCall';
import { Standing } from './Standing';

interface Props {
  calls: CallLog;
  watching: boolean;
}

/** The calls of a session, as a list or in the tree of the model's modules; of them, those that are looked for. */
export function Calls({ calls, watching }: Props) {
  const { browsing } = useReading();
  const { look, filter, shown, chosen } = browsing;
  const { groups, tally, roots } = useFound(calls);
  const failing = failingOf(look === 'model' ? inTreeOrder(groups, roots()) : groups);
  const goTo = (next: Failing | null | undefined) => {
    if (next) browsing.goTo(next.call, pathsTo(roots(), next.group.name));
  };
  const goOn = () => goTo(nextFailing(failing, shown));
  const findWorst = ({ path }: ModuleNode) => {
    goTo(failing.find(({ group }) => pathsTo(roots(), group.name).includes(path)));
  };
  const isTree = look === 'model' && groups.length > 0;
  const call = shown === null ? undefined : calls.get(shown);
  const below = isTree ? groups.filter(({ name }) => name === chosen) : inList(groups, isEmpty(filter));
  const isListed = !call && (below.length > 0 || (groups.length === 0 ? isEmpty(filter) : !isTree));
  return (
    <Section title='Calls' remark={look === 'model' ? 'by module' : 'newest first'}>
      {(calls.size > 1 || isTree || !isEmpty(filter)) && (
        <BrowseBar {...{ browsing, tally, goOn }} found={callsOf(tallyOf(groups))} />
      )}
      {isTree && <ModelTree {...{ browsing, findWorst }} roots={roots()} />}
      <Standing {...{ browsing, groups, below, failing, call, goOn }} />
      {call && <ShownCall call={call} />}
      {isListed && <CallList {...{ calls, watching }} groups={below} />}
    </Section>
  );
}

/** Calls that raised stand above the list, unless they are looked for. */
function inList(groups: readonly Group[], isAll: boolean): readonly Group[] {
  return isAll ? listed(groups) : groups;
}

/** What is looked for; and the trees of it, which are made when they are asked for. */
function useFound(calls: CallLog): Found & { roots: () => ModuleNode[] } {
  const { filter } = useReading().browsing;
  const part = useMemo(() => groupParts(calls), [calls]);
  const { version } = calls;
  // biome-ignore lint/correctness/useExhaustiveDependencies: groups change in place
  return useMemo(() => {
    const what = found(calls.groups(), filter, part);
    let roots: ModuleNode[] | null = null;
    return {
      ...what,
      roots: () => {
        roots ??= moduleTree(layersOf(what.groups));
        return roots;
      },
    };
  }, [calls, version, filter, part]);
}

function pathsTo(roots: readonly ModuleNode[], name: string): string[] {
  return wayTo(roots, name).map(({ path }) => path);
}
